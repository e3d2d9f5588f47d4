import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const CHANGE = ['POST', 'DELETE'];

export const openai: TemplateInput = {
  name: 'openai',
  version: 1,
  provider: 'openai',
  title: 'OpenAI API',
  description:
    'Which model is asked, and for how much, stands in the body: rule on request.body.model. What a prompt says can raise the risk ' +
    'of a call. Agents, vaults, assistants, videos and what is new are other.write. An account without credit answers 429 as a limit ' +
    'does; no header tells them apart.',
  sources: [
    'https://platform.openai.com/docs/api-reference/introduction',
    'https://platform.openai.com/docs/guides/rate-limits',
    'https://platform.openai.com/docs/api-reference/responses',
    'https://platform.openai.com/docs/api-reference/administration',
  ],
  baseUrl: 'https://api.openai.com/v1',
  hosts: ['api.openai.com'],
  credential: {
    type: 'bearer',
    hint: 'A key of one project, with restricted permissions; admin keys only for admin.*',
  },
  actions: [
    { name: 'models.read', methods: READ, paths: ['/v1/models/**'], risk: 'low' },
    {
      name: 'responses.create',
      methods: ['POST'],
      paths: [
        '/v1/responses',
        '/v1/responses/compact',
        '/v1/responses/input_tokens',
        '/v1/responses/{response}/cancel',
      ],
      risk: 'low',
    },
    { name: 'chat.create', methods: ['POST'], paths: ['/v1/chat/completions', '/v1/completions'], risk: 'low' },
    { name: 'embeddings.create', methods: ['POST'], paths: ['/v1/embeddings'], risk: 'low' },
    { name: 'moderations.create', methods: ['POST'], paths: ['/v1/moderations'], risk: 'low' },
    {
      name: 'images.create',
      methods: ['POST'],
      paths: ['/v1/images/generations', '/v1/images/edits', '/v1/images/variations'],
      risk: 'medium',
    },
    {
      name: 'audio.create',
      methods: ['POST'],
      paths: ['/v1/audio/speech', '/v1/audio/transcriptions', '/v1/audio/translations'],
      risk: 'low',
    },
    // What is kept of earlier calls.
    {
      name: 'stored.read',
      methods: READ,
      paths: ['/v1/responses/**', '/v1/chat/completions/**', '/v1/conversations/**'],
      risk: 'low',
    },
    {
      name: 'stored.delete',
      methods: ['DELETE'],
      paths: ['/v1/responses/**', '/v1/chat/completions/**', '/v1/conversations/**'],
      risk: 'medium',
    },
    { name: 'conversations.write', methods: ['POST'], paths: ['/v1/conversations/**'], risk: 'low' },
    { name: 'files.read', methods: READ, paths: ['/v1/files/**', '/v1/containers/**'], risk: 'medium' },
    {
      name: 'files.write',
      methods: ['POST'],
      paths: ['/v1/files', '/v1/uploads/**', '/v1/containers/**'],
      risk: 'medium',
    },
    { name: 'files.delete', methods: ['DELETE'], paths: ['/v1/files/**', '/v1/containers/**'], risk: 'high' },
    { name: 'vector-stores.read', methods: READ, paths: ['/v1/vector_stores/**'], risk: 'low' },
    { name: 'vector-stores.search', methods: ['POST'], paths: ['/v1/vector_stores/{store}/search'], risk: 'low' },
    { name: 'vector-stores.write', methods: ['POST'], paths: ['/v1/vector_stores/**'], risk: 'medium' },
    { name: 'vector-stores.delete', methods: ['DELETE'], paths: ['/v1/vector_stores/**'], risk: 'high' },
    { name: 'batches.read', methods: READ, paths: ['/v1/batches/**'], risk: 'low' },
    { name: 'batches.write', methods: ['POST'], paths: ['/v1/batches/**'], risk: 'medium' },
    { name: 'evals.read', methods: READ, paths: ['/v1/evals/**'], risk: 'low' },
    { name: 'fine-tuning.read', methods: READ, paths: ['/v1/fine_tuning/**'], risk: 'low' },
    // Training costs money; a permission gives another project the model.
    { name: 'fine-tuning.write', methods: CHANGE, paths: ['/v1/fine_tuning/**'], risk: 'high', approval: 'required' },
    { name: 'models.delete', methods: ['DELETE'], paths: ['/v1/models/**'], risk: 'high', approval: 'required' },
    // Makes keys that a browser can use.
    {
      name: 'realtime.keys',
      methods: ['POST'],
      paths: ['/v1/realtime/client_secrets/**', '/v1/realtime/sessions/**', '/v1/realtime/transcription_sessions/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'webhooks.write',
      methods: CHANGE,
      paths: ['/v1/webhook_endpoints/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'usage.read',
      methods: READ,
      paths: ['/v1/organization/usage/**', '/v1/organization/costs'],
      risk: 'medium',
    },
    { name: 'admin.read', methods: READ, paths: ['/v1/organization/**', '/v1/projects/**'], risk: 'high' },
    {
      name: 'admin.write',
      methods: CHANGE,
      paths: ['/v1/organization/**', '/v1/projects/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [
    { statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } },
    {
      statuses: [429],
      when: { header: 'x-ratelimit-remaining-requests', equals: '0' },
      wait: { header: 'x-ratelimit-reset-requests', as: 'duration' },
    },
    {
      statuses: [429],
      when: { header: 'x-ratelimit-remaining-tokens', equals: '0' },
      wait: { header: 'x-ratelimit-reset-tokens', as: 'duration' },
    },
  ],
};

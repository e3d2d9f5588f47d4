import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const CHANGE = ['POST', 'DELETE'];

export const anthropic: TemplateInput = {
  name: 'anthropic',
  version: 1,
  provider: 'anthropic',
  title: 'Claude API',
  description:
    'Which model is asked, and which server tools it gets, stands in the body: rule on request.body.model. What a prompt says can ' +
    'raise the risk of a call. Agents, sessions, vaults and what is new are other.write. The fields anthropic-ratelimit-*-reset are ' +
    'dates of RFC 3339; Retry-After beside them says the same in seconds. An overloaded API answers 529, without a time.',
  sources: [
    'https://docs.claude.com/en/api/overview',
    'https://docs.claude.com/en/api/rate-limits',
    'https://docs.claude.com/en/api/errors',
    'https://docs.claude.com/en/api/messages',
    'https://docs.claude.com/en/api/administration-api',
  ],
  baseUrl: 'https://api.anthropic.com',
  hosts: ['api.anthropic.com'],
  credential: { type: 'header', name: 'x-api-key', hint: 'A key of one workspace; admin keys only for admin.*' },
  actions: [
    { name: 'models.read', methods: READ, paths: ['/v1/models/**'], risk: 'low' },
    { name: 'messages.create', methods: ['POST'], paths: ['/v1/messages'], risk: 'low' },
    { name: 'tokens.count', methods: ['POST'], paths: ['/v1/messages/count_tokens'], risk: 'low' },
    { name: 'batches.read', methods: READ, paths: ['/v1/messages/batches/**'], risk: 'low' },
    {
      name: 'batches.write',
      methods: ['POST'],
      paths: ['/v1/messages/batches', '/v1/messages/batches/{batch}/cancel'],
      risk: 'medium',
    },
    { name: 'batches.delete', methods: ['DELETE'], paths: ['/v1/messages/batches/**'], risk: 'medium' },
    { name: 'files.read', methods: READ, paths: ['/v1/files/**'], risk: 'medium' },
    { name: 'files.write', methods: ['POST'], paths: ['/v1/files'], risk: 'medium' },
    { name: 'files.delete', methods: ['DELETE'], paths: ['/v1/files/**'], risk: 'high' },
    { name: 'skills.read', methods: READ, paths: ['/v1/skills/**'], risk: 'low' },
    // A skill is instructions and code that later calls run.
    { name: 'skills.write', methods: CHANGE, paths: ['/v1/skills/**'], risk: 'high', approval: 'required' },
    {
      name: 'usage.read',
      methods: READ,
      paths: ['/v1/organizations/usage_report/**', '/v1/organizations/cost_report'],
      risk: 'medium',
    },
    { name: 'admin.read', methods: READ, paths: ['/v1/organizations/**'], risk: 'high' },
    { name: 'admin.write', methods: CHANGE, paths: ['/v1/organizations/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429, 529], wait: { header: 'retry-after', as: 'retry-after' } }],
};

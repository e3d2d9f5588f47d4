import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { openai } from './openai.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: openai,
    domains: ['openai.com'],
    lines: [
      ['GET', '/v1/models', 'models.read'],
      ['POST', '/v1/responses', 'responses.create'],
      ['POST', '/v1/responses/resp_677efb5139a88190/cancel', 'responses.create'],
      ['POST', '/v1/chat/completions', 'chat.create'],
      ['POST', '/v1/embeddings', 'embeddings.create'],
      ['POST', '/v1/moderations', 'moderations.create'],
      ['POST', '/v1/images/generations', 'images.create'],
      ['POST', '/v1/audio/transcriptions', 'audio.create'],
      ['GET', '/v1/responses/resp_123', 'stored.read'],
      ['GET', '/v1/chat/completions/chatcmpl-abc123/messages', 'stored.read'],
      ['DELETE', '/v1/responses/resp_123', 'stored.delete'],
      ['POST', '/v1/conversations/conv_123/items', 'conversations.write'],
      ['GET', '/v1/files/file-abc123/content', 'files.read'],
      ['POST', '/v1/files', 'files.write'],
      ['POST', '/v1/uploads/upload_abc123/parts', 'files.write'],
      ['DELETE', '/v1/files/file-abc123', 'files.delete'],
      ['GET', '/v1/vector_stores/vs_abc123/files', 'vector-stores.read'],
      ['POST', '/v1/vector_stores/vs_abc123/search', 'vector-stores.search'],
      ['POST', '/v1/vector_stores', 'vector-stores.write'],
      ['DELETE', '/v1/vector_stores/vs_abc123', 'vector-stores.delete'],
      ['GET', '/v1/batches/batch_abc123', 'batches.read'],
      ['POST', '/v1/batches', 'batches.write'],
      ['GET', '/v1/evals', 'evals.read'],
      ['GET', '/v1/fine_tuning/jobs', 'fine-tuning.read'],
      ['POST', '/v1/fine_tuning/jobs', 'fine-tuning.write'],
      ['POST', '/v1/fine_tuning/checkpoints/ft:gpt-4o-mini:org:weather:B7R9VjQd/permissions', 'fine-tuning.write'],
      ['DELETE', '/v1/models/ft:gpt-4o-mini:acemeco:suffix:abc123', 'models.delete'],
      ['POST', '/v1/realtime/client_secrets', 'realtime.keys'],
      ['POST', '/v1/webhook_endpoints', 'webhooks.write'],
      ['GET', '/v1/organization/usage/completions?start_time=1730419200', 'usage.read'],
      ['GET', '/v1/organization/costs', 'usage.read'],
      ['GET', '/v1/organization/audit_logs', 'admin.read'],
      ['POST', '/v1/organization/admin_api_keys', 'admin.write'],
      ['DELETE', '/v1/organization/users/user_abc', 'admin.write'],
      ['POST', '/v1/evals', 'other.write'],
    ],
  });
  expect(faults).toEqual([]);
});

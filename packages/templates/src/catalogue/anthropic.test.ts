import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { anthropic } from './anthropic.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: anthropic,
    domains: ['claude.com'],
    lines: [
      ['GET', '/v1/models?limit=20', 'models.read'],
      ['POST', '/v1/messages', 'messages.create'],
      ['POST', '/v1/messages?beta=true', 'messages.create'],
      ['POST', '/v1/messages/count_tokens', 'tokens.count'],
      ['GET', '/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF/results', 'batches.read'],
      ['POST', '/v1/messages/batches', 'batches.write'],
      ['POST', '/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF/cancel', 'batches.write'],
      ['DELETE', '/v1/messages/batches/msgbatch_013Zva2CMHLNnXjNJJKqJ2EF', 'batches.delete'],
      ['GET', '/v1/files/file_011CNha8iCJcU1wXNR6q4V8w/content', 'files.read'],
      ['POST', '/v1/files', 'files.write'],
      ['DELETE', '/v1/files/file_011CNha8iCJcU1wXNR6q4V8w', 'files.delete'],
      ['GET', '/v1/skills', 'skills.read'],
      ['POST', '/v1/skills', 'skills.write'],
      ['GET', '/v1/organizations/usage_report/messages', 'usage.read'],
      ['GET', '/v1/organizations/cost_report', 'usage.read'],
      ['GET', '/v1/organizations/api_keys', 'admin.read'],
      ['POST', '/v1/organizations/api_keys/apikey_01Rj2N8SVvo6BePZj99NhmiT', 'admin.write'],
      ['DELETE', '/v1/organizations/users/user_01WCz1FkmYMm4gnmykNKUu3Q', 'admin.write'],
      ['POST', '/v1/vaults', 'other.write'],
    ],
  });
  expect(faults).toEqual([]);
});

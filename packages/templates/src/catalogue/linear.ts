import type { TemplateInput } from '@postern/schemas';
import { WRITE } from './methods.ts';

export const linear: TemplateInput = {
  name: 'linear',
  version: 1,
  provider: 'linear',
  title: 'Linear GraphQL API',
  description:
    'All reads and writes are one POST; what is asked stands in the body, so allow by a condition on request.body.query (see the ' +
    'guide to templates). Linear tells a limit with status 400 and RATELIMITED in the body; only where a field says that nothing is ' +
    'left can it be told from another 400. A query too complex for what is left cannot.',
  sources: [
    'https://linear.app/developers/graphql',
    'https://linear.app/developers/rate-limiting',
    'https://linear.app/developers/oauth-2-0-authentication',
  ],
  baseUrl: 'https://api.linear.app',
  hosts: ['api.linear.app'],
  credential: {
    type: 'header',
    name: 'Authorization',
    hint: 'A personal API key, which stands alone in the field; for an OAuth token use type bearer',
  },
  actions: [
    { name: 'graphql', methods: ['POST'], paths: ['/graphql'], risk: 'high' },
    {
      name: 'credentials.write',
      methods: ['POST'],
      paths: ['/oauth/token', '/oauth/token/', '/oauth/revoke', '/oauth/revoke/'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [
    {
      statuses: [400, 429],
      when: { header: 'x-ratelimit-requests-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-requests-reset', as: 'epoch-milliseconds' },
    },
    {
      statuses: [400, 429],
      when: { header: 'x-ratelimit-complexity-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-complexity-reset', as: 'epoch-milliseconds' },
    },
    {
      statuses: [400, 429],
      when: { header: 'x-ratelimit-endpoint-requests-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-endpoint-requests-reset', as: 'epoch-milliseconds' },
    },
  ],
};

import type { TemplateInput } from '@postern/schemas';
import { READ } from './methods.ts';

export const jsonApi: TemplateInput = {
  name: 'json-api',
  version: 1,
  provider: 'generic',
  title: 'Any JSON API over HTTP',
  description:
    'A beginning for an API that has no template: tells reading, making, changing and deleting apart by the method, and lets all ' +
    'but reading ask. Name what you know as actions of the integration, with its paths and a tier; what is left falls under these.',
  sources: [
    'https://www.rfc-editor.org/rfc/rfc9110.html',
    'https://www.rfc-editor.org/rfc/rfc6585.html',
    'https://www.rfc-editor.org/rfc/rfc5789.html',
  ],
  baseUrl: 'https://api.example.com',
  credential: { type: 'bearer', hint: 'Or header, query, basic: as the API wants it' },
  actions: [
    { name: 'read', methods: READ, paths: ['/**'], risk: 'low' },
    { name: 'options', methods: ['OPTIONS'], paths: ['/**'], risk: 'low' },
    // Long queries are often sent by POST.
    { name: 'search', methods: ['POST'], paths: ['/**/search'], risk: 'medium' },
    { name: 'create', methods: ['POST'], paths: ['/**'], risk: 'high', approval: 'required' },
    { name: 'update', methods: ['PATCH'], paths: ['/**'], risk: 'high', approval: 'required' },
    { name: 'replace', methods: ['PUT'], paths: ['/**'], risk: 'high', approval: 'required' },
    { name: 'delete', methods: ['DELETE'], paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429, 503], wait: { header: 'retry-after', as: 'retry-after' } }],
};

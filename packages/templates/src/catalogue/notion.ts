import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

export const notion: TemplateInput = {
  name: 'notion',
  version: 1,
  provider: 'notion',
  title: 'Notion API',
  description:
    'Moving a page to the trash, emptying it or locking it is a change of the page (in_trash, erase_content, is_locked in the body), ' +
    'so deny those with a condition. Which pages there are to see is settled in Notion, by what is shared with the connection. ' +
    'Agents, sessions and what is new are other.write.',
  sources: [
    'https://developers.notion.com/reference/intro',
    'https://developers.notion.com/reference/request-limits',
    'https://developers.notion.com/reference/post-page',
    'https://developers.notion.com/reference/delete-a-block',
    'https://developers.notion.com/reference/query-a-data-source',
  ],
  baseUrl: 'https://api.notion.com',
  hosts: ['api.notion.com'],
  credential: { type: 'bearer', hint: 'The token of an internal connection with the capabilities in question' },
  actions: [
    { name: 'search.read', methods: ['POST'], paths: ['/v1/search'], risk: 'low' },
    { name: 'pages.read', methods: READ, paths: ['/v1/pages/**', '/v1/blocks/**'], risk: 'low' },
    {
      name: 'databases.read',
      methods: READ,
      paths: ['/v1/databases/**', '/v1/data_sources/**', '/v1/views/**', '/v1/custom_emojis'],
      risk: 'low',
    },
    // Read by POST.
    {
      name: 'databases.query',
      methods: ['POST'],
      paths: ['/v1/databases/{database}/query', '/v1/data_sources/{source}/query', '/v1/views/{view}/queries'],
      risk: 'low',
    },
    { name: 'users.read', methods: READ, paths: ['/v1/users/**'], risk: 'low' },
    { name: 'comments.read', methods: READ, paths: ['/v1/comments/**'], risk: 'low' },
    { name: 'files.read', methods: READ, paths: ['/v1/file_uploads/**'], risk: 'low' },
    { name: 'pages.create', methods: ['POST'], paths: ['/v1/pages'], risk: 'medium' },
    {
      name: 'pages.update',
      methods: ['PATCH'],
      paths: ['/v1/pages/{page}', '/v1/pages/{page}/markdown'],
      risk: 'medium',
    },
    // Where a page is decides who sees it.
    { name: 'pages.move', methods: ['POST'], paths: ['/v1/pages/{page}/move/**'], risk: 'high', approval: 'required' },
    { name: 'blocks.append', methods: ['PATCH'], paths: ['/v1/blocks/{block}/children'], risk: 'medium' },
    { name: 'blocks.update', methods: ['PATCH'], paths: ['/v1/blocks/{block}'], risk: 'medium' },
    // A page is a block, too.
    { name: 'blocks.delete', methods: ['DELETE'], paths: ['/v1/blocks/**'], risk: 'high', approval: 'required' },
    {
      name: 'databases.write',
      methods: ['POST', 'PATCH'],
      paths: ['/v1/databases/**', '/v1/data_sources/**'],
      risk: 'high',
    },
    { name: 'views.write', methods: ['POST', 'PATCH'], paths: ['/v1/views', '/v1/views/{view}'], risk: 'medium' },
    {
      name: 'views.delete',
      methods: ['DELETE'],
      paths: ['/v1/views/{view}', '/v1/views/{view}/queries/{query}'],
      risk: 'medium',
    },
    { name: 'comments.write', methods: ['POST', 'PATCH'], paths: ['/v1/comments/**'], risk: 'medium' },
    { name: 'comments.delete', methods: ['DELETE'], paths: ['/v1/comments/**'], risk: 'high' },
    { name: 'files.upload', methods: ['POST'], paths: ['/v1/file_uploads/**'], risk: 'medium' },
    { name: 'credentials.write', methods: ['POST'], paths: ['/v1/oauth/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429, 529], wait: { header: 'retry-after', as: 'retry-after' } }],
};

import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { notion } from './notion.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: notion,
    domains: ['notion.com'],
    lines: [
      ['POST', '/v1/search', 'search.read'],
      ['GET', '/v1/pages/59833787-2cf9-4fdf-8782-e53db20768a5', 'pages.read'],
      ['GET', '/v1/blocks/59833787-2cf9-4fdf-8782-e53db20768a5/children?page_size=100', 'pages.read'],
      ['GET', '/v1/data_sources/668d797c-76fa-4934-9b05-ad288df2d136', 'databases.read'],
      ['POST', '/v1/databases/668d797c-76fa-4934-9b05-ad288df2d136/query', 'databases.query'],
      ['POST', '/v1/data_sources/668d797c-76fa-4934-9b05-ad288df2d136/query', 'databases.query'],
      ['GET', '/v1/users/me', 'users.read'],
      ['GET', '/v1/comments?block_id=5c6a2821', 'comments.read'],
      ['GET', '/v1/file_uploads/b52b8ed6-e029-4707-a671-832549c09de3', 'files.read'],
      ['POST', '/v1/pages', 'pages.create'],
      ['PATCH', '/v1/pages/59833787-2cf9-4fdf-8782-e53db20768a5', 'pages.update'],
      ['PATCH', '/v1/pages/59833787-2cf9-4fdf-8782-e53db20768a5/markdown', 'pages.update'],
      ['POST', '/v1/pages/59833787-2cf9-4fdf-8782-e53db20768a5/move', 'pages.move'],
      ['PATCH', '/v1/blocks/b55c9c91-384d-452b-81db-d1ef79372b75/children', 'blocks.append'],
      ['PATCH', '/v1/blocks/9bc30ad4-9373-46a5-84ab-0a7845ee52e6', 'blocks.update'],
      ['DELETE', '/v1/blocks/9bc30ad4-9373-46a5-84ab-0a7845ee52e6', 'blocks.delete'],
      ['POST', '/v1/databases', 'databases.write'],
      ['PATCH', '/v1/data_sources/668d797c-76fa-4934-9b05-ad288df2d136', 'databases.write'],
      ['POST', '/v1/views', 'views.write'],
      ['DELETE', '/v1/views/cd9b1c2e', 'views.delete'],
      ['POST', '/v1/comments', 'comments.write'],
      ['DELETE', '/v1/comments/94cc56ab', 'comments.delete'],
      ['POST', '/v1/file_uploads/b52b8ed6-e029-4707-a671-832549c09de3/send', 'files.upload'],
      ['POST', '/v1/oauth/token', 'credentials.write'],
      ['DELETE', '/v1/agents/77', 'other.write'],
    ],
  });
  expect(faults).toEqual([]);
});

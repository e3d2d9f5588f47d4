import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { jsonApi } from './json-api.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: jsonApi,
    domains: ['rfc-editor.org'],
    lines: [
      ['GET', '/things/1', 'read'],
      ['HEAD', '/', 'read'],
      ['OPTIONS', '/things', 'options'],
      ['POST', '/things/search', 'search'],
      ['POST', '/things', 'create'],
      ['PATCH', '/things/1', 'update'],
      ['PUT', '/things/1', 'replace'],
      ['DELETE', '/things/1', 'delete'],
    ],
  });
  expect(faults).toEqual([]);
});

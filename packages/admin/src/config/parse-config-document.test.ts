import { expect, test } from 'vitest';
import { formatIssue, parseConfigDocument } from './parse-config-document.ts';

async function faultsOf(text: string): Promise<string[]> {
  const { issues } = await parseConfigDocument(text);
  return issues.map((issue) => formatIssue('postern.yaml', issue));
}

test('a full document is read with its defaults', async () => {
  const { document, issues } = await parseConfigDocument(`
version: 1
integrations:
  - name: github
    baseUrl: https://api.github.com/
    credential: { type: bearer, secret: github-token }
agents:
  - { name: coder, trust: medium }
`);
  expect(issues).toEqual([]);
  expect(document?.tenant).toBe('default');
  expect(document?.integrations?.[0]).toMatchObject({
    baseUrl: 'https://api.github.com',
    hosts: ['api.github.com'],
    timeouts: { connectMs: 5_000 },
  });
  expect(document?.rules).toBeUndefined();
});

test('faults come with file, line and field, in the order of lines', async () => {
  const text = `version: 1
rulez: []
integrations:
  - name: a
    baseUrl: https://a.example
    timeouts:
      connectMs: 0
    scrub: maybe
  - name: b
    base_url: https://b.example
agents:
  - name: coder
    trust: much
redaction: { depth: 5 }
`;
  expect(await faultsOf(text)).toEqual([
    'postern.yaml:2: rulez: is not a known field; did you mean "rules"?',
    'postern.yaml:7: integrations[0].timeouts.connectMs: must be at least 1',
    'postern.yaml:8: integrations[0].scrub: must be true or false',
    'postern.yaml:9: integrations[1].baseUrl: is required',
    'postern.yaml:10: integrations[1].base_url: is not a known field; did you mean "baseUrl"?',
    'postern.yaml:13: agents[0].trust: must be one of untrusted, low, medium, high, admin',
    'postern.yaml:14: redaction: is not supported by this version',
  ]);
});

test('what the schema cannot see is told likewise', async () => {
  const text = `version: 1
global:
  rules:
    - { id: a, effect: allow }
    - { id: b, effect: deny }
integrations:
  - { name: a, baseUrl: 'https://10.0.0.1' }
  - { name: a, baseUrl: 'https://a.example' }
agents:
  - { name: x }
  - { name: x }
rules:
  - { id: r, effect: allow }
  - { id: r, effect: deny }
`;
  expect(await faultsOf(text)).toEqual([
    'postern.yaml:4: global.rules[0].effect: must be deny: a global rule is a hard deny, in rule a',
    'postern.yaml:5: global.rules[1].hard: must be true: a global rule is a hard deny, in rule b',
    'postern.yaml:7: integrations[0].baseUrl: the address is private; network.unsafeAllowAddresses does not cover it',
    'postern.yaml:8: integrations[1].name: is the name of another one in the document',
    'postern.yaml:11: agents[1].name: is the name of another one in the document',
    'postern.yaml:14: rules[1].id: is the id of another one in the document, in rule r',
  ]);
});

test('faults of the text itself have a line and no field', async () => {
  expect(await faultsOf('version: 1\nversion: 1\n')).toEqual(['postern.yaml:2: the key is there twice']);
});

test.each(['', '# nothing\n', '---\n'])('an empty document %j is refused', async (text) => {
  expect(await faultsOf(text)).toEqual(['postern.yaml:1: the document is empty; it must at least have version: 1']);
});

test.each(['[]', '1', 'text'])('%s is no document', async (text) => {
  expect(await faultsOf(text)).toEqual(['postern.yaml:1: must be an object']);
});

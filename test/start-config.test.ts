import { generateKeyPairSync } from 'node:crypto';
import path from 'node:path';
import { generateAgentKey } from '@postern/auth';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { control } from './support/audit-log.ts';
import { refusedStart } from './support/refused-start.ts';
import { startGateway, startRefused } from './support/start-gateway.ts';

describe('faults of the file', () => {
  const upstream = 'http://127.0.0.1:9';
  const coderKey = generateAgentKey().key;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

  test.each<[string, string, RegExp]>([
    ['no YAML', 'version: 1\nintegrations: [\n', /:\d+: /],
    ['two documents', 'version: 1\n---\nversion: 1\n', /:2: |:3: /],
    ['a key twice', 'version: 1\nagents: []\nagents: []\n', /:3: .*twice/],
    ['no version', 'agents: []\n', /version/],
    ['another version', 'version: 2\n', /:1: version/],
    ['an unknown section', 'version: 1\nagent: []\n', /:2: agent.*agents/s],
    [
      'an unknown member',
      `version: 1\nintegrations:\n  - name: a\n    baseurl: ${upstream}\n`,
      /:4: integrations\[0\]\.baseurl.*baseUrl/s,
    ],
    ['what a later version has', 'version: 1\nredaction: { depth: 5 }\n', /:2: redaction.*not supported/],
    [
      'a condition on what no call has',
      'version: 1\nrules:\n  - { id: a, effect: allow, when: "agent.trust > 2 && agent.nme == \'x\'" }\n',
      /:3: rules\[0\]\.when.*nme \(at character 25\)/,
    ],
    ['a bad effect', 'version: 1\nrules:\n  - id: a\n    effect: permit\n', /:4: rules\[0\]\.effect/],
    [
      'a number that is too small',
      'version: 1\nintegrations:\n  - name: a\n    baseUrl: https://example.com\n    timeouts:\n      connectMs: 0\n',
      /:6: integrations\[0\]\.timeouts\.connectMs/,
    ],
    [
      'a base URL with a query',
      'version: 1\nintegrations:\n  - { name: a, baseUrl: "https://example.com/?x" }\n',
      /:3: integrations\[0\]\.baseUrl/,
    ],
    [
      'a base URL with a password',
      'version: 1\nintegrations:\n  - { name: a, baseUrl: "https://u:hunter2@example.com" }\n',
      /:3: integrations\[0\]\.baseUrl/,
    ],
    [
      'a private base URL',
      `version: 1\nintegrations:\n  - { name: a, baseUrl: "${upstream}" }\n`,
      /:3: integrations\[0\].*unsafeAllowAddresses/s,
    ],
    [
      'a metadata address though all is opened',
      'version: 1\nintegrations:\n  - { name: a, baseUrl: "http://169.254.169.254", network: { unsafeAllowAddresses: ["0.0.0.0/0"] } }\n',
      /:3: integrations\[0\]/,
    ],
    [
      'a short secret for a credential',
      'version: 1\nsecrets: { s: { value: "1234567" } }\nintegrations:\n  - { name: a, baseUrl: "https://example.com", credential: { type: bearer, secret: s } }\n',
      /secret/,
    ],
    ['a name twice', 'version: 1\nagents:\n  - { name: a }\n  - { name: a }\n', /:4: agents\[1\]\.name/],
    [
      'a key that is none',
      `version: 1\nagents:\n  - { name: a, key: "${coderKey.slice(0, -1)}" }\n`,
      /:3: agents\[0\]\.key.*postern keys generate/s,
    ],
    [
      'one key for two agents',
      `version: 1\nagents:\n  - { name: a, key: ${coderKey} }\n  - { name: b, key: ${coderKey} }\n`,
      /:4: agents\[1\]\.key/,
    ],
    [
      'a variable that is not set',
      'version: 1\nagents:\n  - name: a\n    key: { from: env:NOT_SET }\n',
      /:4: agents\[0\]\.key.*NOT_SET/s,
    ],
    [
      'a variable of the gateway',
      'version: 1\nsecrets:\n  s: { from: env:POSTERN_ADMIN_TOKEN }\n',
      /:3: secrets\.s.*POSTERN_/s,
    ],
    [
      'a file that is not there',
      'version: 1\nsecrets:\n  s: { from: "file:/nonexistent" }\n',
      /:3: secrets\.s.*nonexistent/s,
    ],
    [
      'a file of the data folder',
      'version: 1\nsecrets:\n  s: { from: "file:data/admin-token" }\n',
      /:3: secrets\.s.*data folder/s,
    ],
    [
      'a file of the data folder by a detour',
      'version: 1\nsecrets:\n  s: { from: "file:./x/../data/./master-key" }\n',
      /:3: secrets\.s.*data folder/s,
    ],
    [
      'a rule of an unknown agent',
      'version: 1\nagents: [{ name: coder }]\nrules:\n  - { id: a, effect: deny, agents: [codr] }\n',
      /:4: rules\[0\]\.agents\[0\]/,
    ],
    [
      'a rule of an unknown agent where there is none',
      'version: 1\nrules:\n  - { id: a, effect: deny, agents: [codr] }\n',
      /:3: rules\[0\]\.agents\[0\]/,
    ],
    [
      'a rule of an unknown integration',
      'version: 1\nrules:\n  - { id: a, effect: deny, integrations: [githb] }\n',
      /:3: rules\[0\]\.integrations\[0\]/,
    ],
    [
      'a rule of an unknown action',
      'version: 1\nintegrations: [{ name: a, baseUrl: "https://example.com" }]\nrules:\n  - { id: a, effect: deny, actions: [reed] }\n',
      /:4: rules\[0\]\.actions\[0\]/,
    ],
    ['a bad pattern', 'version: 1\nrules:\n  - { id: a, effect: deny, paths: ["/a/**b"] }\n', /:3: rules\[0\]\.paths/],
    [
      'a global rule that allows',
      'version: 1\nglobal: { rules: [{ id: a, effect: allow }] }\n',
      /:2: global\.rules\[0\]/,
    ],
    [
      'a private key for an authority',
      `version: 1\nintegrations:\n  - { name: a, baseUrl: "https://example.com", tls: { ca: ${JSON.stringify(rsa)} } }\n`,
      /:3: integrations\[0\]\.tls\.ca/,
    ],
  ])('%s: told with line and field', async (_what, config, says) => {
    const message = await refusedStart({ config });
    expect(message).toMatch(says);
    expect(message).toContain('postern.yaml');
    expect(message).not.toMatch(/hunter2|1234567|PRIVATE KEY/);
    expect(message).not.toContain(coderKey.slice(15, -1));
  });

  test('several faults are told at once, and nothing of the file is applied', async () => {
    await using store = await temporaryFolder();
    const dataFolder = path.join(store.path, 'data');
    const config = 'version: 1\nagents:\n  - { name: good }\n  - { name: "" }\nrules:\n  - { id: x, effect: no }\n';
    const { stderr } = await startRefused({ config, dataFolder });
    expect(stderr).toMatch(/:4: agents\[1\]\.name/);
    expect(stderr).toMatch(/:6: rules\[0\]\.effect/);
    await using gateway = await startGateway({ dataFolder });
    expect((await control(gateway, 'GET', '/v1/agents')).json().items).toEqual([]);
  });
});

import type { Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { type Catalogue, expectProblem, startCatalogue } from './support/catalogue.ts';
import type { RunningGateway } from './support/start-gateway.ts';

let catalogue: Catalogue;
let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  catalogue = await startCatalogue();
  ({ upstream, gateway } = catalogue);
});

afterAll(async () => {
  await catalogue?.[Symbol.asyncDispose]();
});

beforeEach(() => catalogue.answerAsAtFirst());

const execute = (request: object, more: object = {}, headers: object = {}) =>
  catalogue.post('/v1/execute', { integration: 'api', request, ...more }, headers);
const explain = (request: object) => catalogue.post('/v1/explain', { integration: 'api', request });

describe('POST /v1/explain', () => {
  test('tells the decision, the descriptor and its fingerprint, and has no effect', async () => {
    const [sent, recorded] = [upstream.requests.length, (await eventualAuditEvents(gateway, {})).length];
    const answer = await explain({
      method: 'GET',
      path: '/items/../items/1?b=2',
      headers: { 'X-B': '1', 'x-a': '2', 'User-Agent': 'me', Cookie: 'a=b' },
    });
    expect(answer.status).toBe(200);
    const { descriptor, fingerprint, trace, ...rest } = answer.json();
    expect(rest).toMatchObject({
      decision: 'allow',
      rule: 'reads',
      reason: expect.any(String),
      hard: false,
      action: 'items.read',
      credential: { type: 'bearer', secret: 'token' },
      risk: { labels: [], factors: expect.arrayContaining([{ name: 'tier:low', value: 0.1 }]) },
      policyVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
      summary: expect.stringContaining('Told is reads.'),
    });
    expect(descriptor).toMatchObject({
      v: 1,
      kind: 'http',
      tenant: 'default',
      agent: 'coder',
      integration: 'api',
      template: null,
      method: 'GET',
      url: `${upstream.url}/v1/items/1?b=2`,
      headers: [
        ['x-a', '2'],
        ['x-b', '1'],
      ],
      body: null,
      credential: 'token',
    });
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(trace).toBeInstanceOf(Array);
    expect(answer.text).not.toContain(catalogue.secret);
    expect(upstream.requests.length).toBe(sent);
    expect((await auditEvents(gateway)).length).toBe(recorded);
  });

  test.each([
    [
      { method: 'POST', path: '/admin/x' },
      { decision: 'deny', rule: 'rule-never', hard: true },
    ],
    [
      { method: 'PUT', path: '/items' },
      { decision: 'deny', rule: null, hard: false },
    ],
    [
      { method: 'DELETE', path: '/items' },
      { decision: 'require_approval', rule: 'rule-asks', hard: false },
    ],
  ])('%j', async (request, expected) => {
    expect((await explain(request)).json()).toMatchObject(expected);
    const refused = await execute(request);
    if (expected.decision === 'deny') expectProblem(refused, 403, 'denied');
    else expect(refused.problem()).toMatchObject({ status: 428, code: 'approval_required' });
    expect(refused.problem().decision).toBe(expected.decision);
    expect(refused.text).not.toMatch(/rule-/);
  });

  test('the fingerprint follows what matters and nothing else', async () => {
    const of = async (request: object) =>
      (await explain({ method: 'POST', path: '/items', ...request })).json().fingerprint;
    const base = await of({ bodyText: 'a' });
    expect(
      await of({ bodyText: 'a', headers: { 'User-Agent': 'x', 'X-Request-Id': '1', 'Accept-Encoding': 'br' } }),
    ).toBe(base);
    expect(await of({ bodyBase64: 'YQ==' })).toBe(base);
    expect(await of({ path: '/x/../items', bodyText: 'a' })).toBe(base);
    for (const other of [
      { bodyText: 'b' },
      {},
      { bodyText: 'a', path: '/items?' },
      { bodyText: 'a', headers: { accept: 'x' } },
    ]) {
      expect(await of(other)).not.toBe(base);
    }
  });
});

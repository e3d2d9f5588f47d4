import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import {
  type RecordedRequest,
  startUpstream,
  type TemporaryFolder,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const other = newAgent('other');

let folder: TemporaryFolder;
let upstream: Upstream;
let gateway: RunningGateway;
/** How many requests of each key have come to the upstream. */
let counts: Map<string, number>;
let answer: (request: RecordedRequest, response: ServerResponse) => void;

const options = () => ({
  config: configOf(
    [coder, other],
    [
      integration('api', `${upstream.url}/api`, {
        credential: { type: 'bearer', secret: 'token' },
        retry: { attempts: 3 },
      }),
      integration('slow', `${upstream.url}/slow`, { idempotency: { ttlSeconds: 60 } }),
    ],
    { secrets: { token: { value: 'sealed-0123456789abcdef' } } },
  ),
  dataFolder: path.join(folder.path, 'data'),
});

beforeAll(async () => {
  upstream = await startUpstream({
    // From the head on: what was begun counts.
    answerAt: 'head',
    handler: (request, response) => {
      const key = request.headers['x-key'] ?? '-';
      counts.set(key, (counts.get(key) ?? 0) + 1);
      answer(request, response);
    },
  });
});

afterAll(async () => {
  await upstream?.close();
});

const startScene = async () => {
  counts = new Map();
  answer = (request, response) => void request.ended.then(() => response.writeHead(201).end('made'));
  folder = await temporaryFolder();
  gateway = await startGateway(options());
};

afterEach(async () => {
  await gateway?.close();
  await folder?.remove();
});

const send = (key: string, { body = 'a', to = '/to/api/things', agent = coder } = {}): Promise<Answer> =>
  call(gateway.dataUrl, to, {
    body,
    headers: {
      'postern-key': agent.key,
      'idempotency-key': key,
      'x-key': key,
      'content-type': 'text/plain',
      prefer: 'respond-async',
    },
  });

const queue = async (key: string, more: Parameters<typeof send>[1] = {}): Promise<string> => {
  const queued = await send(key, more);
  expect(queued.status, queued.text).toBe(202);
  expect(queued.headers['preference-applied']).toBe('respond-async');
  expect(queued.headers['location']).toBe(`${gateway.dataUrl}/v1/calls/${queued.json().call.id}`);
  return queued.json().call.id;
};

const stateOf = async (id: string, agent = coder) =>
  (await call(gateway.dataUrl, `/v1/calls/${id}`, { headers: { 'postern-key': agent.key } })).json();

const done = (id: string, timeout = 30_000) =>
  vi.waitFor(
    async () => {
      const document = await stateOf(id);
      expect(document.status).toBe('done');
      return document;
    },
    { timeout, interval: 25 },
  );

describe('calls that nobody waits for', () => {
  test('are queued, sent, answered, replayed, cancelled and kept from others', async () => {
    await startScene();
    const body = Buffer.alloc(3_000_000, 'postern').toString();
    const id = await queue('k-1', { body });
    const { result, requestId } = await done(id);
    expect(result).toMatchObject({ status: 201, bodyText: 'made' });
    const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
    await upstream.requests.at(-1)?.ended;
    expect(sha(upstream.requests.at(-1)?.body ?? '')).toBe(sha(body));
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe('Bearer sealed-0123456789abcdef');
    const again = await send('k-1', { body });
    expect([again.status, again.text, again.headers['postern-idempotency']]).toEqual([201, 'made', 'replayed']);
    expect(await stateOf(id, other)).toMatchObject({ status: 404, code: 'not_found' });
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    answer = (_request, response) => void held.then(() => response.end('late'));
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await queue(`w-${count}`, { to: '/to/slow/x' }));
    await vi.waitFor(() => expect([...counts.keys()].filter((key) => key.startsWith('w-'))).toHaveLength(4), 10_000);
    const cancel = (own: string) =>
      call(gateway.dataUrl, `/v1/calls/${own}`, { method: 'DELETE', headers: { 'postern-key': coder.key } });
    expect((await cancel(ids[4] ?? '')).status).toBe(204);
    expect((await cancel(ids[0] ?? '')).json()).toMatchObject({ status: 409, code: 'conflict' });
    release();
    for (const own of ids.slice(0, 4)) expect((await done(own)).result).toMatchObject({ bodyText: 'late' });
    expect(await stateOf(ids[4] ?? '')).toMatchObject({ status: 'cancelled' });
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
    expect(counts.has('w-4')).toBe(false);
    // One line for the request that queued it, one for the call; one intent, one outcome.
    const lines = gateway
      .stderr()
      .split('\n')
      .filter((line) => line.includes(`"queuedCall":"${id}"`));
    const told = lines.map((line) => JSON.parse(line)).filter((line) => line.requestId === requestId);
    expect(told.map(({ status }) => status)).toEqual([202, 201]);
    const entries = (await auditEvents(gateway)).filter((entry) => entry.requestId === requestId);
    expect(entries.map(({ type }) => type)).toEqual(['intent', 'outcome']);
    expect((await control(gateway, 'GET', '/metrics')).text).toMatch(
      /postern_calls_total\{integration="api",outcome="passed",code="202"\} 1\n/,
    );
  });

  test('of an agent whose key is revoked meanwhile are not sent', async () => {
    await startScene();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    answer = (_request, response) => void held.then(() => response.end('late'));
    const ids: string[] = [];
    for (let count = 0; count < 6; count += 1) ids.push(await queue(`k-${count}`, { agent: other }));
    await vi.waitFor(() => expect(counts.size).toBe(4), 10_000);
    const [agent] = (await control(gateway, 'GET', '/v1/agents'))
      .json()
      .items.filter(({ name }: { name: string }) => name === 'other');
    const gone = await control(gateway, 'DELETE', `/v1/agents/${agent.id}/keys/${other.publicId}`);
    expect(gone.status).toBe(204);
    release();
    const refusals = await vi.waitFor(
      async () => {
        const found = (await auditEvents(gateway)).filter(({ code }) => code === 'unauthenticated');
        expect(found).toHaveLength(2);
        return found;
      },
      { timeout: 10_000, interval: 50 },
    );
    for (const refusal of refusals)
      expect(refusal).toMatchObject({ agent: 'other', integration: 'api', type: 'denied' });
    expect(counts.size).toBe(4);
  });

  test('survive SIGTERM: what runs ends, what is queued is sent after the next start', async () => {
    await startScene();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    answer = (_request, response) => void held.then(() => response.end('late'));
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1) ids.push(await queue(`k-${count}`));
    await vi.waitFor(() => expect(counts.size).toBe(4), 10_000);
    const ended = gateway.kill('SIGTERM');
    release();
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(counts.size).toBe(4);
    await gateway.close();
    gateway = await startGateway(options());
    for (const id of ids) expect((await done(id)).result).toMatchObject({ status: 200, bodyText: 'late' });
    expect([...counts.values()]).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });
});

describe('kill -9', () => {
  /** When the upstream has the head of a request; when the gateway has its answer; some time after. */
  const POINTS = ['at the head', 'at the answer', 'after the answer', 'when it is queued', 'while it is held'] as const;

  test('at any point between queue and result sends no call twice, loses none, and says of each how it ended', async () => {
    await startScene();
    const ids = new Map<string, string>();
    const killed: string[] = [];
    for (const [round, point] of [...POINTS, ...POINTS].entries()) {
      const { promise: hit, resolve: kill } = Promise.withResolvers<void>();
      const trigger = 2 + (round % 4);
      let seen = 0;
      answer = (request, response) => {
        seen += 1;
        const isHit = seen === trigger;
        if (isHit && point === 'at the head') return kill();
        if (isHit && point === 'while it is held') return void setTimeout(kill, 30);
        void request.ended.then(() => {
          if (isHit && point === 'at the answer') response.once('finish', kill);
          if (isHit && point === 'after the answer') response.once('finish', () => setTimeout(kill, round));
          response.writeHead(201).end(`made ${request.headers['x-key']}`);
        });
      };
      for (let count = 0; count < 8; count += 1) {
        const key = `r${round}-${count}`;
        ids.set(key, await queue(key, { to: count % 2 === 0 ? '/to/api/things' : '/to/slow/things' }));
        if (point === 'when it is queued' && count === 5) kill();
      }
      await hit;
      killed.push((await gateway.kill('SIGKILL')).signal ?? '');
      answer = (request, response) =>
        void request.ended.then(() => response.writeHead(201).end(`made ${request.headers['x-key']}`));
      await gateway.close();
      gateway = await startGateway(options());
    }
    expect(killed).toEqual(killed.map(() => 'SIGKILL'));
    const ends = new Map<string, string>();
    for (const [key, id] of ids) {
      const { result, problem } = await done(id, 40_000);
      ends.set(key, problem?.code ?? `${result.status}`);
      const sent = counts.get(key) ?? 0;
      expect(sent, key).toBeLessThanOrEqual(1);
      if (result !== undefined) {
        expect(result.bodyText).toBe(`made ${key}`);
        expect(sent).toBe(1);
      }
    }
    expect(ids.size).toBe(80);
    expect(new Set(ends.values())).toEqual(new Set(['201', 'outcome_unknown']));
    // Those that were being sent when the gateway was killed, and no others: four of each of two integrations at a time.
    const unknown = [...ends.values()].filter((end) => end === 'outcome_unknown').length;
    expect(unknown).toBeLessThanOrEqual(8 * POINTS.length * 2);
    const claims = (await control(gateway, 'GET', '/v1/claims?limit=100')).json().items;
    expect(claims).toHaveLength(80);
    for (const { key, state } of claims)
      expect([key, state]).toEqual([key, ends.get(key) === '201' ? 'succeeded' : 'unknown']);
    const entries = await auditEvents(gateway);
    const closed = entries.filter(({ type }) => type === 'outcome').map(({ requestId }) => requestId);
    const intents = entries.filter(({ type }) => type === 'intent').map(({ requestId }) => requestId);
    expect([...closed].sort()).toEqual([...intents].sort());
    expect(new Set(intents).size).toBe(intents.length);
  }, 180_000);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { startUpstream, type TemporaryFolder, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { type Answer, type CallOptions, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** Acceptance vectors 1 to 4 of the specification's section 21, through the front door. */
const coder = newAgent('coder');
/** Of no agent may more than twenty approvals be opened in a minute. */
const waiter = newAgent('waiter');
const approval = { approvers: 1, groups: [], pendingSeconds: 900, executeSeconds: 600, grant: 'once' };
const asking = (id: string, pathOf: string, more: object = {}) => ({
  ...{ id, effect: 'require_approval', integrations: ['api'], paths: [pathOf] },
  approval: { ...approval, ...more },
});

let folder: TemporaryFolder;
let upstream: Upstream;
let gateway: RunningGateway;
/** Requests of earlier tests. */
let seen = 0;

const options = () => ({
  dataFolder: `${folder.path}/data`,
  config: configOf([coder, waiter], [integration('api', upstream.url, { retry: { attempts: 1 } })], {
    rules: [
      { id: 'open', effect: 'allow', paths: ['/open/**'] },
      asking('once', '/once/**'),
      asking('times', '/times/**', { grant: 'times' }),
      asking('until', '/until/**', { grant: 'until' }),
      asking('short-pending', '/short-pending/**', { pendingSeconds: 1 }),
      asking('short-execute', '/short-execute/**', { executeSeconds: 1 }),
    ],
  }),
});

beforeAll(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
  gateway = await startGateway(options());
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await folder?.remove();
});

beforeEach(() => {
  seen = upstream.requests.length;
  upstream.answerWith((_request, response) => void response.writeHead(201, { 'x-made': 'yes' }).end('made'));
});

afterEach(() => {
  upstream.answerWith((_request, response) => void response.end());
});

const sent = () => upstream.requests.slice(seen);

const send = (path: string, body: string, headers: CallOptions['headers'] = {}) =>
  call(gateway.dataUrl, `/to/api${path}`, {
    method: 'POST',
    body,
    headers: { 'postern-key': coder.key, 'content-type': 'text/plain', ...headers },
  });

const execute = (id: string) =>
  call(gateway.dataUrl, `/v1/approvals/${id}/execute`, { method: 'POST', headers: { 'postern-key': coder.key } });

const ask = (id: string) => call(gateway.dataUrl, `/v1/approvals/${id}`, { headers: { 'postern-key': coder.key } });

function heldBy(answer: Answer): string {
  expect(answer.problem()).toMatchObject({ status: 428, code: 'approval_required' });
  return answer.problem().approval?.id ?? '';
}

async function approve(id: string, grant?: object): Promise<void> {
  const answer = await control(gateway, 'POST', `/v1/approvals/${id}/approve`, { body: { grant } });
  expect(answer.status, answer.text).toBe(200);
}

describe('vector 1: an idempotency key', () => {
  test('with another body is refused with 422, and with the same body gives the answer again byte for byte', async () => {
    const body = Buffer.from([0, 255, 10, 13, 128]);
    upstream.answerWith((_request, response) => void response.writeHead(201, { 'x-made': 'yes' }).end(body));
    const key = { 'idempotency-key': 'vector-1' };
    const first = await send('/open/a', 'a', key);
    expect((await send('/open/a', 'b', key)).problem()).toMatchObject({
      status: 422,
      code: 'idempotency_key_mismatch',
    });
    const again = await send('/open/a', 'a', key);
    expect([again.status, again.headers['x-made'], again.headers['postern-idempotency']]).toEqual([
      201,
      'yes',
      'replayed',
    ]);
    expect(again.body.equals(first.body) && first.body.equals(body)).toBe(true);
    expect(sent()).toHaveLength(1);
  });

  test('whose call was in flight when the gateway crashed is unknown, and nothing is sent again', async () => {
    upstream.answerWith(() => undefined);
    const key = { 'idempotency-key': 'vector-1-crash' };
    const cut = send('/open/crash', 'a', key).catch(() => 'cut');
    await upstream.waitForRequests(seen + 1);
    await gateway.kill('SIGKILL');
    expect(await cut).toBe('cut');
    await gateway.close();
    gateway = await startGateway(options());
    upstream.answerWith((_request, response) => void response.end('late'));
    for (let time = 0; time < 3; time += 1) {
      expect((await send('/open/crash', 'a', key)).problem()).toMatchObject({ status: 409, code: 'outcome_unknown' });
    }
    expect(sent()).toHaveLength(1);
    const outcomes = await auditEvents(gateway, { type: 'outcome' });
    expect(outcomes.filter(({ url }) => url?.endsWith('/open/crash'))).toMatchObject([{ result: 'unknown' }]);
  });
});

describe('vector 2: two executions of one approval at once', () => {
  test('send one request', async () => {
    upstream.answerWith((_request, response) => void setTimeout(() => response.writeHead(201).end('made'), 100));
    const id = heldBy(await send('/once/two', 'a'));
    await approve(id);
    const answers = await Promise.all([execute(id), execute(id)]);
    expect(sent()).toHaveLength(1);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.problem().code).toBe('in_flight');
    expect((await execute(id)).json()).toMatchObject({ status: 201, bodyText: 'made', idempotency: 'replayed' });
    expect(sent()).toHaveLength(1);
  });
});

describe('vector 3: approved once', () => {
  test('the identical call passes once, and the next one asks again', async () => {
    const id = heldBy(await send('/once/a', 'a'));
    await approve(id);
    expect((await send('/once/a', 'a')).text).toBe('made');
    expect(heldBy(await send('/once/a', 'a'))).not.toBe(id);
    expect(sent()).toHaveLength(1);
  });

  test.each([
    ['once', { kind: 'once' }],
    ['times', { kind: 'times', times: 3 }],
    ['until', { kind: 'until', until: new Date(Date.now() + 3_000_000).toISOString() }],
  ])('a changed body, header or target asks again with a grant of kind %s', async (kind, grant) => {
    const id = heldBy(await send(`/${kind}/b`, 'a'));
    await approve(id, grant);
    expect(heldBy(await send(`/${kind}/b`, 'b'))).not.toBe(id);
    expect(heldBy(await send(`/${kind}/b`, 'a', { 'x-more': '1' }))).not.toBe(id);
    expect(heldBy(await send(`/${kind}/b?c`, 'a'))).not.toBe(id);
    expect(sent()).toHaveLength(0);
    expect((await send(`/${kind}/b`, 'a')).text).toBe('made');
    expect(sent().map(({ url, body }) => `${url} ${Buffer.from(body).toString()}`)).toEqual([`/${kind}/b a`]);
  });
});

describe('vector 4: an approval that has expired', () => {
  test('while it was pending is refused on read: it cannot be approved, executed or waited for', async () => {
    const waiting = send('/short-pending/a', 'a', { prefer: 'wait=20' });
    const id = heldBy(await send('/short-pending/a', 'a'));
    await sleep(1_100);
    expect((await ask(id)).json()).toMatchObject({ status: 'expired' });
    expect((await execute(id)).problem()).toMatchObject({ status: 410, code: 'approval_expired' });
    const late = await control(gateway, 'POST', `/v1/approvals/${id}/approve`, { body: {} });
    expect(late.problem()).toMatchObject({ status: 409, code: 'approval_decided' });
    expect((await waiting).problem()).toMatchObject({ status: 410, code: 'approval_expired' });
    expect(heldBy(await send('/short-pending/a', 'a'))).not.toBe(id);
    expect(sent()).toHaveLength(0);
  });

  test('after it was approved is refused on read, for an execution and an equal call, with a key and without', async () => {
    const key = { 'idempotency-key': 'vector-4' };
    const id = heldBy(await send('/short-execute/a', 'a', key));
    await approve(id);
    await sleep(1_100);
    expect((await ask(id)).json()).toMatchObject({ status: 'expired' });
    expect((await execute(id)).problem()).toMatchObject({ status: 410, code: 'approval_expired' });
    expect((await send('/short-execute/a', 'a', key)).problem()).toMatchObject({
      status: 410,
      code: 'approval_expired',
    });
    expect(heldBy(await send('/short-execute/a', 'a'))).not.toBe(id);
    expect(sent()).toHaveLength(0);
  });
});

test('a decision wakes the call that waits for it within 250 ms', async () => {
  const taken: number[] = [];
  for (let time = 0; time < 5; time += 1) {
    const waiting = send('/once/wake', `a${time}`, { prefer: 'wait=30', 'postern-key': waiter.key });
    let id = '';
    while (id === '') {
      const pending = await control(gateway, 'GET', '/v1/approvals?status=pending&limit=1');
      const [found] = pending.json().items as { id: string; url: string }[];
      if (found?.url.endsWith('/once/wake')) id = found.id;
      else await sleep(10);
    }
    await approve(id);
    const decidedMs = performance.now();
    expect((await waiting).text).toBe('made');
    taken.push(performance.now() - decidedMs);
  }
  // The median: the machine of the tests may be busy for a moment.
  expect(taken.sort((one, other) => one - other)[2]).toBeLessThan(250);
});

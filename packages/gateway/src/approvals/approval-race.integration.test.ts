import { createHash } from 'node:crypto';
import path from 'node:path';
import { createSqliteCallJournal, openSqlite } from '@postern/db';
import type { GrantTerms } from '@postern/db/ports';
import type { Entry } from '@postern/schemas';
import { type SeededRandom, seededRandom, startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type CallOptions, call, postJson } from '../client.fixture.ts';
import { TENANT, type TestGateway } from '../gateway.fixture.ts';
import { startOn } from '../refused-call.fixture.ts';

/** `RACES` is how many runs there are, `SEED` what they are drawn from. */
const RACES = Number(process.env['RACES'] ?? 1_000);
const SEED = process.env['SEED'] ?? '5';
/** Runs that go on beside each other: they share policy, journal and connections. */
const ABREAST = 20;
const STEPS = 10;
const WINDOW_MS = 600_000;

let upstream: Upstream;
let gateway: TestGateway;
/** What the upstream got, by the request id of the call. */
const received = new Map<string, string[]>();
/** The key that a call came with, by its request id. */
const keys = new Map<string, string>();
const statuses = new Map<number | string, number>();
let restarts = 0;

const digestOf = (bytes: Uint8Array) => `sha-256:${createHash('sha256').update(bytes).digest('hex')}`;

beforeAll(async () => {
  upstream = await startUpstream({
    handler: async ({ headers, body, url }, response) => {
      const id = headers['x-request-id'] ?? '';
      received.set(id, [...(received.get(id) ?? []), `${url} ${digestOf(body)}`]);
      const kind = body[body.byteLength - 1];
      if (kind === '2'.charCodeAt(0)) await new Promise((resolve) => setTimeout(resolve, 5));
      if (kind === '3'.charCodeAt(0)) response.destroy();
      else response.writeHead(201).end(`done ${id}`);
    },
  });
  const folder = { rules: [{ id: 'ask', effect: 'require_approval' as const }] };
  gateway = await startOn(upstream.port, folder, { retry: { attempts: 1 } });
  const { approvals } = gateway.gateway;
  // One agent asks for all of them.
  const caps = { pendingMax: Number.MAX_SAFE_INTEGER, newPerMinuteMax: Number.MAX_SAFE_INTEGER };
  Object.assign(gateway.gateway, {
    approvals: {
      ...approvals,
      createFromCanonicalDescriptor: ((approval, { nowMs }) =>
        approvals.createFromCanonicalDescriptor(approval, {
          nowMs,
          caps,
        })) as typeof approvals.createFromCanonicalDescriptor,
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

interface Run {
  readonly name: string;
  readonly random: SeededRandom;
  readonly approvals: Set<string>;
  readonly grants: Set<string>;
}

type Step = (run: Run) => Promise<unknown>;

async function send({ name, random, approvals }: Run, options: CallOptions): Promise<void> {
  const key = `key-${name}-${random.integer(2)}`;
  const isKeyed = random.integer(2) === 0;
  const answer = await call(gateway, `/to/api/${name}`, {
    ...options,
    headers: { 'content-type': 'text/plain', ...(isKeyed ? { 'idempotency-key': key } : {}), ...options.headers },
  });
  note(answer);
  if (isKeyed) keys.set(answer.headers['postern-request-id'] ?? '', key);
  if (answer.status === 428) approvals.add(answer.problem().approval?.id ?? '');
}

function note(answer: Answer): void {
  const what = answer.status < 400 ? answer.status : answer.problem().code;
  statuses.set(what, (statuses.get(what) ?? 0) + 1);
}

function oneOf({ random, approvals }: Run): string {
  const ids = [...approvals];
  return ids.length === 0 ? 'none' : (ids[random.integer(ids.length)] ?? 'none');
}

async function approve(run: Run): Promise<void> {
  const { random } = run;
  const id = oneOf(run);
  const now = Date.now();
  // Some end while they are used.
  const executeUntil = now + (random.integer(4) === 0 ? random.integer(20) : WINDOW_MS);
  const isCounted = random.integer(3) === 0;
  const grant: GrantTerms = isCounted
    ? { kind: 'times', times: 2, expiresAt: executeUntil }
    : { kind: 'once', expiresAt: executeUntil };
  await gateway.repositories.approvals.addVote(TENANT, id, { by: 'alice', groups: [], at: now });
  const change = { to: 'approved', by: 'alice', at: now, executeUntil, grant } as const;
  const { grantId } = await gateway.repositories.approvals.transition(TENANT, id, change);
  if (grantId !== undefined) run.grants.add(grantId);
  gateway.gateway.approvalWatch.notify(id);
}

async function deny(run: Run): Promise<void> {
  const at = Date.now();
  const change = { to: 'denied', by: 'alice', at, reason: 'no', deniedUntil: at + 5 } as const;
  await gateway.repositories.approvals.transition(TENANT, oneOf(run), change);
}

async function revoke({ grants, random }: Run): Promise<void> {
  const id = [...grants][random.integer(Math.max(1, grants.size))];
  if (id !== undefined) await gateway.repositories.grants.revoke(TENANT, id, { by: 'alice', at: Date.now() });
}

async function execute(run: Run): Promise<void> {
  note(await postJson(gateway, `/v1/approvals/${oneOf(run)}/execute`, {}));
}

/** Policy of all runs: a deny for a moment, or another approver for a moment. */
async function editPolicy({ name, random }: Run): Promise<void> {
  const terms = { approvers: 2, groups: [], pendingSeconds: 900, executeSeconds: 600, grant: 'once' as const };
  const id = `edit-${name}`;
  const rule =
    random.integer(2) === 0
      ? { id, effect: 'deny' as const, paths: [`/${name}`] }
      : { id, effect: 'require_approval' as const, approval: terms, paths: [`/${name}`] };
  const { policyRules } = gateway.repositories;
  await gateway.change((context) => policyRules.createPolicyRule(TENANT, rule, 'api', context));
  for (let turn = 0; turn < 10; turn += 1) await pause(random);
  await gateway.change((context) => policyRules.disablePolicyRule(TENANT, id, Date.now(), context));
}

function countRestart(): void {
  restarts += 1;
}

/** Another boot of the node takes over what this one has open, as after a kill. */
async function restartJournal(): Promise<void> {
  const db = await openSqlite({ file: path.join(gateway.spoolFolder, '..', 'postern.db') });
  const journal = createSqliteCallJournal(db, { node: 'node-1', boot: `boot-${Math.random()}`, now: Date.now });
  try {
    await journal.recover();
  } finally {
    await journal.close();
    await db.close();
  }
}

/** The last character says how the upstream answers: 2 slowly, 3 not at all. */
const body = ({ name, random }: Run) => `${name} ${'222203'[random.integer(6)]}`;

const ACTIONS: readonly (readonly [weight: number, step: Step])[] = [
  [8, (run) => send(run, { body: body(run) })],
  [1, (run) => send(run, { body: body(run), headers: { 'x-more': '1' } })],
  [2, (run) => send(run, { body: body(run), headers: { prefer: 'wait=1' } })],
  [9, approve],
  [5, execute],
  [1, deny],
  [1, (run) => call(gateway, `/v1/approvals/${oneOf(run)}`, { method: 'DELETE' })],
  [2, revoke],
];
const WEIGHT = ACTIONS.reduce((sum, [weight]) => sum + weight, 0);

function drawStep(random: SeededRandom): Step {
  let left = random.integer(WEIGHT);
  for (const [weight, step] of ACTIONS) {
    if (left < weight) return step;
    left -= weight;
  }
  throw new RangeError('the weights do not add up');
}

const pause = (random: SeededRandom) =>
  new Promise<void>((resolve) => {
    const turns = random.integer(4);
    if (turns === 0) setTimeout(resolve, random.integer(8));
    else setImmediate(resolve);
  });

async function race(number: number): Promise<void> {
  const random = seededRandom(`${SEED}/${number}`);
  const run: Run = { name: `run-${number}`, random, approvals: new Set(), grants: new Set() };
  const steps: Promise<unknown>[] = [];
  await send(run, { body: body(run) });
  const [editAt, restartAt] = [random.integer(STEPS * 12), random.integer(STEPS * 20)];
  for (let step = 0; step < STEPS; step += 1) {
    // On a busy machine two processes that write to one file may not come to their turn in time.
    if (step === editAt) steps.push(editPolicy(run).catch(() => undefined));
    if (step === restartAt) steps.push(restartJournal().then(countRestart, () => undefined));
    // What does not fit the state that it finds fails; what is asked for here is what the upstream sees.
    steps.push(drawStep(random)(run).catch(() => undefined));
    await pause(random);
    if (random.integer(3) === 0) await Promise.all(steps);
  }
  await Promise.all(steps);
}

/** Whatever there is of entries, oldest first. */
async function allEntries(): Promise<readonly Entry[]> {
  await gateway.journal.flush();
  const entries: Entry[] = [];
  let cursor: string | undefined;
  do {
    const page = await gateway.repositories.audit.query(TENANT, {
      limit: 100,
      ...(cursor === undefined ? {} : { cursor }),
    });
    entries.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return entries.reverse();
}

describe(`${RACES} runs of everything at once (seed ${SEED})`, () => {
  let entries: readonly Entry[];
  const intents = new Map<string, Entry>();

  beforeAll(async () => {
    let next = 0;
    const workers = Array.from({ length: ABREAST }, async () => {
      while (next < RACES) {
        next += 1;
        await race(next);
      }
    });
    await Promise.all(workers);
    await restartJournal();
    entries = await allEntries();
    for (const entry of entries) if (entry.type === 'intent') intents.set(entry.requestId as string, entry);
  }, 3_600_000);

  test('have sent and refused much', () => {
    expect(received.size).toBeGreaterThan(RACES / 4);
    expect(restarts).toBeGreaterThan(0);
    for (const what of [201, 200, 'approval_required', 'in_flight', 'idempotency_key_mismatch'])
      expect(statuses.get(what), `${what} of ${JSON.stringify([...statuses])}`).toBeGreaterThan(0);
  });

  test('have sent no call twice, and none without its intent and a grant', () => {
    for (const [id, requests] of received) {
      expect(requests, id).toHaveLength(1);
      expect(intents.get(id), id).toMatchObject({ approval: expect.any(String), grant: expect.any(String) });
    }
  });

  test('have sent one request for a key', () => {
    const sent = new Map<string, string[]>();
    for (const id of received.keys()) {
      const key = keys.get(id);
      if (key !== undefined) sent.set(key, [...(sent.get(key) ?? []), id]);
    }
    expect(sent.size).toBeGreaterThan(0);
    expect([...sent].filter(([, ids]) => ids.length > 1)).toEqual([]);
  });

  test('have sent for no grant more often than it says', async () => {
    const uses = new Map<string, number>();
    for (const id of received.keys()) {
      const grant = intents.get(id)?.grant ?? '';
      uses.set(grant, (uses.get(grant) ?? 0) + 1);
    }
    for (const [id, count] of uses) {
      const grant = await gateway.repositories.grants.getById(TENANT, id, Date.now());
      expect(count, id).toBeLessThanOrEqual(grant?.kind === 'times' ? 2 : 1);
    }
  });

  test('have sent what was approved and nothing else', async () => {
    for (const [id, [request]] of received) {
      const { approval: approvalId = '', fingerprint } = intents.get(id) ?? {};
      const approval = await gateway.repositories.approvals.getById(TENANT, approvalId, Date.now());
      expect(approval?.fingerprint, id).toBe(fingerprint);
      const descriptor = JSON.parse(approval?.descriptor ?? '{}') as { url: string; body: string };
      expect(`${new URL(descriptor.url).pathname} ${descriptor.body}`, id).toBe(request);
    }
  });

  test('have closed each intent once, and have left nothing running', async () => {
    const outcomes = entries.filter(({ type }) => type === 'outcome').map(({ requestId }) => requestId as string);
    expect(new Set(outcomes).size).toBe(outcomes.length);
    expect(outcomes.sort()).toEqual([...intents.keys()].sort());
    const page = { limit: 10, nowMs: Date.now() };
    const { claims, approvals } = gateway.repositories;
    expect((await claims.list(TENANT, { state: 'dispatching' }, page)).items).toEqual([]);
    expect((await approvals.list(TENANT, { status: 'executing' }, page)).items).toEqual([]);
    expect(gateway.gateway.approvalWatch.size).toBe(0);
  });
});

import { seededRandom, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { readDatabase } from './support/database.ts';
import { type Answer, call } from './support/http-client.ts';
import { answerOf, KILL_STEPS, type KilledGateway, startKilledGateway } from './support/killed-gateway.ts';

/**
 * How often the gateway is killed: once at each step, or as often as `KILLS` says, at a random time of each step in turn. `KILL_STEP` is part
 * of a step's name, for that one alone; `SEED` is told by a failure.
 */
const STEPS = KILL_STEPS.filter((step) => step.includes(process.env['KILL_STEP'] ?? ''));
const KILLS = Number(process.env['KILLS'] ?? STEPS.length);
const SEED = process.env['SEED'] ?? '5';
const KILL_MS_MAX = 20_000;

/** One effect that an agent wants to have. */
interface Wish {
  readonly call: string;
  readonly agent: KilledGateway['agents'][number];
  readonly integration: 'open' | 'asked';
  readonly idempotencyKey: string | undefined;
  /** The approval that it was told of last. */
  approval: string | undefined;
}

interface ClaimRow {
  readonly key: string;
  readonly state: string;
}

let folder: TemporaryFolder;
let gateway: KilledGateway;
const random = seededRandom(SEED);
const wishes: Wish[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  gateway = await startKilledGateway(folder.path);
});

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await folder?.remove();
});

function wishesOf(kill: number): Wish[] {
  const agent = gateway.agents[kill % gateway.agents.length];
  if (agent === undefined) throw new RangeError('there are no agents');
  const wish = (name: string, integration: Wish['integration'], isKeyed = true): Wish => {
    const id = `call-${kill}-${name}`;
    return { call: id, agent, integration, idempotencyKey: isKeyed ? `key-${id}` : undefined, approval: undefined };
  };
  return [
    ...['a', 'b', 'c', 'd'].map((name) => wish(name, 'open')),
    ...['e', 'f', 'g'].map((name) => wish(name, 'asked')),
    wish('h', 'asked', false),
  ];
}

async function send(wish: Wish): Promise<Answer> {
  const { idempotencyKey } = wish;
  const answer = await call(gateway.current.dataUrl, `/to/${wish.integration}/${wish.call}`, {
    method: 'POST',
    body: wish.call,
    headers: {
      'postern-key': wish.agent.key,
      'content-type': 'text/plain',
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
  });
  if (answer.status === 428) wish.approval = answer.problem().approval?.id;
  return answer;
}

const approve = (id: string) => control(gateway.current, 'POST', `/v1/approvals/${id}/approve`, { body: {} });

const execute = (wish: Wish, id: string) =>
  call(gateway.current.dataUrl, `/v1/approvals/${id}/execute`, {
    method: 'POST',
    headers: { 'postern-key': wish.agent.key },
  });

/** What an agent does to have its wish, and some more: everything twice, as clients do. Ends when the gateway is gone. */
async function pursue(wish: Wish): Promise<void> {
  try {
    await Promise.all([send(wish), send(wish)]);
    const { approval } = wish;
    if (approval === undefined) return;
    await approve(approval);
    await Promise.all([execute(wish, approval), wish.idempotencyKey === undefined ? undefined : send(wish)]);
  } catch {
    // It has been killed.
  }
}

/** Brings a wish to its end on a gateway that lives. Returns what came of it. */
async function bringToEnd(wish: Wish): Promise<'answered' | 'unknown'> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const { approval } = wish;
    const isKeyless = wish.idempotencyKey === undefined && approval !== undefined;
    const answer = isKeyless ? await execute(wish, approval) : await send(wish);
    if (answer.status === 201 || answer.status === 200) {
      expect(isKeyless ? answer.json().bodyText : answer.text).toBe(answerOf(wish.call));
      return 'answered';
    }
    const { code } = answer.problem();
    if (code === 'outcome_unknown') return 'unknown';
    expect(code, wish.call).toBe('approval_required');
    const decided = await approve(wish.approval ?? '');
    expect(decided.status, decided.text).toBe(200);
  }
  throw new Error(`${wish.call} comes to no end`);
}

function claims(): Map<string, string> {
  const rows = readDatabase<ClaimRow>(gateway.dataFolder, 'select key, state from claims');
  return new Map(rows.map(({ key, state }) => [key, state]));
}

async function killAndRecover(kill: number, step: string): Promise<void> {
  const current = wishesOf(kill);
  wishes.push(...current);
  await gateway.arm(step, 1 + random.integer(3));
  const pursued = Promise.all(current.map(pursue));
  const timer = setTimeout(() => gateway.current.process.kill('SIGTERM'), KILL_MS_MAX);
  const { signal } = await gateway.current.exited;
  clearTimeout(timer);
  expect(signal, `the gateway never came to: ${step}`).toBe('SIGKILL');
  await pursued;
  await gateway.restart();
  const left = claims();
  for (const wish of current) {
    const state = left.get(wish.idempotencyKey ?? '');
    expect([undefined, 'awaiting_approval', 'succeeded', 'failed_not_sent', 'unknown'], wish.call).toContain(state);
    const sent = gateway.sentOf(wish.call);
    expect(sent, wish.call).toBeLessThanOrEqual(1);
    // What was sent is never forgotten: the key is not free, and nobody is asked anew.
    if (sent === 1 && wish.idempotencyKey !== undefined) expect(['succeeded', 'unknown'], wish.call).toContain(state);
    const end = await bringToEnd(wish);
    if (state !== undefined) expect(end, wish.call).toBe(state === 'unknown' ? 'unknown' : 'answered');
    expect(gateway.sentOf(wish.call), wish.call).toBe(end === 'answered' ? 1 : sent);
  }
}

describe(`a gateway that is killed ${KILLS} times (seed ${SEED})`, () => {
  const kills = Array.from({ length: KILLS }, (_, kill) => ({ kill, step: STEPS[kill % STEPS.length] ?? '' }));
  test.for(kills)('$step: what is left is told truly', ({ kill, step }) => killAndRecover(kill, step));

  test('has sent no call twice, and every claim has ended', async () => {
    for (const wish of wishes) expect(gateway.sentOf(wish.call), wish.call).toBeLessThanOrEqual(1);
    await gateway.restart();
    for (const [key, state] of claims())
      expect(['succeeded', 'failed_not_sent', 'failed_final', 'unknown'], key).toContain(state);
  });

  test('has closed each intent exactly once', async () => {
    const entries = await auditEvents(gateway.current);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_entry, index) => index));
    const idsOf = (type: string) => entries.filter((entry) => entry.type === type).map(({ requestId }) => requestId);
    const outcomes = idsOf('outcome');
    expect(new Set(outcomes).size).toBe(outcomes.length);
    expect(outcomes.sort()).toEqual(idsOf('intent').sort());
    const executed = entries.filter(({ type }) => type === 'approval.executed').map(({ approval }) => approval);
    expect(new Set(executed).size).toBe(executed.length);
  });

  test('has left approvals as their claims are', () => {
    const rows = readDatabase<{ id: string; status: string; state: string | null }>(
      gateway.dataFolder,
      `select p.id, p.status, c.state from approvals p left join claims c on c.request_id = p.executed_by`,
    );
    expect(rows.length).toBeGreaterThan(KILLS);
    for (const { id, status, state } of rows)
      expect(['approved null', 'executed succeeded', 'unknown unknown'], id).toContain(`${status} ${state}`);
  });
});

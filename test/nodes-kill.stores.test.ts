import { seededRandom } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { auditEvents } from './support/audit-log.ts';
import { endOf } from './support/busy-clients.ts';
import { call } from './support/http-client.ts';
import { type NodeGround, prepareNodes } from './support/nodes.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import type { RunningGateway } from './support/start-gateway.ts';

/** How often two hundred equal calls go to two nodes of which one is killed; `REPETITIONS=1000` is the long form. */
const REPETITIONS = Number(process.env['REPETITIONS'] ?? 20);
const SEED = process.env['SEED'] ?? '6';
const CALLS = 200;
const KILL_MS_MAX = 120;
const coder = newAgent('coder');
const random = seededRandom(SEED);

let ground: NodeGround;
/** Two are called at a time; the third is starting again meanwhile. */
const places: { readonly name: string; gateway: Promise<RunningGateway> }[] = [];
beforeAll(async () => {
  ground = await prepareNodes({
    postgresUrl: inject('postgresUrl'),
    redisUrl: inject('redisUrl'),
    handler: async (_request, response) => {
      await new Promise((resolve) => setTimeout(resolve, random.integer(40)));
      response.writeHead(201).end('done once');
    },
    config: ({ url }) => configOf([coder], [integration('api', url, { retry: { attempts: 1 } })]),
  });
  for (const name of ['one', 'two', 'three']) places.push({ name, gateway: ground.start(name) });
  await Promise.all(places.map(({ gateway }) => gateway));
});
afterAll(() => ground?.[Symbol.asyncDispose]());

async function claimStates(): Promise<ReadonlyMap<string, string>> {
  const rows = await ground.query('select key, state from claims');
  return new Map(rows.map(({ key, state }) => [String(key), String(state)]));
}

const send = (gateway: RunningGateway, key: string) =>
  endOf(
    call(gateway.dataUrl, `/to/api/${key}`, {
      body: 'x',
      headers: { 'postern-key': coder.key, 'idempotency-key': key },
    }),
  );

async function killDuringEqualCalls(repetition: number): Promise<void> {
  const key = `key-${repetition}`;
  const [killed, living] = [places[repetition % 3], places[(repetition + 1) % 3]];
  if (killed === undefined || living === undefined) throw new RangeError('there are three nodes');
  const [dying, staying] = await Promise.all([killed.gateway, living.gateway]);
  const calling = Array.from({ length: CALLS }, (_, place) => send(place % 2 === 0 ? dying : staying, key));
  await new Promise((resolve) => setTimeout(resolve, random.integer(KILL_MS_MAX)));
  await dying.kill('SIGKILL');
  killed.gateway = ground.start(killed.name);
  const ends = await Promise.all(calling);
  // What nobody has answered may have been sent; what the living node answers is told truly.
  expect(ends.filter((end) => !['201', 'in_flight', 'outcome_unknown', 'cut'].includes(end))).toEqual([]);
  expect(ground.sent(`/${key}`), key).toBeLessThanOrEqual(1);
  if (ends.includes('201')) expect(ground.sent(`/${key}`), key).toBe(1);
}

describe(`two hundred equal calls over two nodes, one of them killed, ${REPETITIONS} times (seed ${SEED})`, () => {
  test.for(Array.from({ length: REPETITIONS }, (_, repetition) => repetition))('%i', killDuringEqualCalls);

  test('every key ends, and what has ended stays so', async () => {
    const [node] = await Promise.all(places.map(({ gateway }) => gateway));
    if (node === undefined) throw new RangeError('there are three nodes');
    const final = ['succeeded', 'unknown', 'failed_not_sent'];
    const states = await vi.waitFor(
      async () => {
        const left = await claimStates();
        for (const [key, state] of left) expect(final, key).toContain(state);
        return left;
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(states.size).toBe(REPETITIONS);
    for (const [key, state] of states) {
      const sent = ground.sent(`/${key}`);
      if (state === 'succeeded') expect(sent, key).toBe(1);
      if (state === 'failed_not_sent') expect(sent, key).toBe(0);
      const end = await send(node, key);
      expect(end, key).toBe(state === 'unknown' ? 'outcome_unknown' : '201');
      expect(ground.sent(`/${key}`), key).toBe(state === 'failed_not_sent' ? 1 : sent);
    }
  });

  test('each intent has one outcome', async () => {
    const [node] = await Promise.all(places.map(({ gateway }) => gateway));
    await vi.waitFor(
      async () => {
        const entries = await auditEvents(node as RunningGateway);
        const idsOf = (type: string) =>
          entries.filter((entry) => entry.type === type).map(({ requestId }) => requestId);
        expect(idsOf('outcome').sort()).toEqual(idsOf('intent').sort());
      },
      { timeout: 20_000, interval: 250 },
    );
  });
});

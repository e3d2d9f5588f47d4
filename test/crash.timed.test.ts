import path from 'node:path';
import type { Entry } from '@postern/schemas';
import { startUpstream, type TemporaryFolder, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const LOAD_MS = 1_500;
const CALLERS = 16;
const HELD = 5;
const SERVES_AGAIN_MS_MAX = 2_000;

const coder = newAgent('coder');
const headers = { 'postern-key': coder.key };

/** Calls as fast as it can until the gateway is gone; gives the ids of the calls that were answered. */
async function load(gateway: RunningGateway): Promise<string[]> {
  const answered: string[] = [];
  for (;;) {
    try {
      const answer = await call(gateway.dataUrl, '/to/api/load', { headers });
      answered.push(answer.headers['postern-request-id'] as string);
    } catch {
      return answered;
    }
  }
}

describe('kill -9 during load', () => {
  let folder: TemporaryFolder;
  let upstream: Upstream;
  let gateway: RunningGateway;
  let answered: string[];
  let servesAgainMs: number;
  let entries: readonly Entry[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    // Held calls are open for certain when the gateway dies.
    upstream = await startUpstream({
      handler: (request, response) => void (request.url === '/held' || response.end('ok')),
    });
    const options = {
      config: configOf([coder], [integration('api', upstream.url)]),
      dataFolder: path.join(folder.path, 'data'),
    };
    await using first = await startGateway(options);
    for (let count = 0; count < HELD; count += 1)
      call(first.dataUrl, '/to/api/held', { headers }).catch(() => undefined);
    await upstream.waitForRequests(HELD);
    const loading = Promise.all(Array.from({ length: CALLERS }, () => load(first)));
    const killed = new Promise((resolve) => setTimeout(resolve, LOAD_MS)).then(() => first.kill('SIGKILL'));
    answered = (await loading).flat();
    expect((await killed).signal).toBe('SIGKILL');
    const startedMs = performance.now();
    gateway = await startGateway(options);
    expect((await call(gateway.dataUrl, '/to/api/again', { headers })).status).toBe(200);
    servesAgainMs = performance.now() - startedMs;
    entries = await auditEvents(gateway);
  });

  afterAll(async () => {
    await gateway?.close();
    await upstream?.close();
    await folder?.remove();
  });

  const idsOf = (some: readonly Entry[], type: string) =>
    some.filter((entry) => entry.type === type).map(({ requestId }) => requestId as string);

  test('the gateway serves again within 2 s of its start', () => {
    expect(answered.length).toBeGreaterThan(CALLERS);
    expect(servesAgainMs).toBeLessThan(SERVES_AGAIN_MS_MAX);
  });

  test('every call that the upstream saw has an intent', () => {
    const intents = new Set(idsOf(entries, 'intent'));
    const seen = upstream.requests.map((request) => request.headers['x-request-id'] as string);
    expect(seen.length).toBeGreaterThanOrEqual(answered.length);
    expect(seen.filter((requestId) => !intents.has(requestId))).toEqual([]);
    expect(answered.filter((requestId) => !intents.has(requestId))).toEqual([]);
    // Nothing was sent twice.
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('every intent has exactly one outcome; those left open are closed as unknown', async () => {
    const intents = idsOf(entries, 'intent').filter((id) => id !== idsOf(entries, 'intent').at(-1));
    const outcomes = entries.filter((entry) => entry.type === 'outcome');
    const closed = new Map(outcomes.map((entry) => [entry.requestId as string, entry]));
    expect(closed.size).toBe(outcomes.length);
    expect(intents.filter((requestId) => !closed.has(requestId))).toEqual([]);
    const held = intents.filter((requestId) => closed.get(requestId)?.url?.endsWith('/held'));
    expect(held).toHaveLength(HELD);
    for (const requestId of held) expect(closed.get(requestId)).toMatchObject({ result: 'unknown', agent: 'coder' });
    for (const { result } of outcomes) expect(['done', 'unknown']).toContain(result);
  });

  test('the log has no gap', () => {
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_entry, index) => index));
  });

  test('another start closes nothing a second time', async () => {
    await gateway.kill('SIGKILL');
    const { dataFolder } = gateway;
    await using again = await startGateway({ dataFolder });
    const unknown = (some: readonly Entry[]) => some.filter(({ result }) => result === 'unknown');
    const now = await auditEvents(again);
    expect(new Set(idsOf(now, 'outcome')).size).toBe(idsOf(now, 'outcome').length);
    // The one call after the crash may have been killed before its outcome was written.
    expect(unknown(now).length - unknown(entries).length).toBeLessThanOrEqual(1);
    expect(idsOf(now, 'outcome').sort()).toEqual(idsOf(now, 'intent').sort());
  });
});

import { rename } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import {
  type RecordedRequest,
  startUpstream,
  type TemporaryFolder,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { type CommandRun, command } from './support/command-line.ts';
import { type Answer, call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { makeRoledDatabase, type RoledDatabase } from './support/postgres-database.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const coder = newAgent('coder');
const SECRET = 'sealed-0123456789abcdef';
/** Behind the lease of a gateway that was killed. */
const LEASE_MS = 20_000;

let folder: TemporaryFolder;
let dataFolder: string;
let upstream: Upstream;
let database: RoledDatabase;
let came: RecordedRequest[];
/** Requests to `/slow` that the upstream has not answered. */
let held: ServerResponse[];
let isSlow = true;

beforeAll(async () => {
  [came, held] = [[], []];
  folder = await temporaryFolder();
  dataFolder = path.join(folder.path, 'data');
  database = await makeRoledDatabase();
  upstream = await startUpstream({
    answerAt: 'head',
    handler: (request, response) => {
      came.push(request);
      if (isSlow && request.url.startsWith('/slow')) held.push(response);
      else void request.ended.then(() => response.writeHead(201).end(`made ${came.length}`));
    },
  });
});

afterAll(async () => {
  for (const response of held) response.destroy();
  await upstream?.close();
  await database?.[Symbol.asyncDispose]();
  await folder?.remove();
});

const config = () =>
  configOf(
    [coder],
    [
      integration('api', `${upstream.url}/api`, { credential: { type: 'bearer', secret: 'token' } }),
      integration('slow', `${upstream.url}/slow`),
      integration('careful', `${upstream.url}/careful`),
    ],
    {
      secrets: { token: { value: SECRET } },
      rules: [
        { id: 'all', effect: 'allow', integrations: ['api', 'slow'] },
        { id: 'ask', effect: 'require_approval', integrations: ['careful'] },
      ],
    },
  );

const send = (gateway: RunningGateway, to: string, key: string, more: Record<string, string> = {}): Promise<Answer> =>
  call(gateway.dataUrl, to, {
    body: 'a body',
    headers: { 'postern-key': coder.key, 'idempotency-key': key, 'content-type': 'text/plain', ...more },
  });

const importInto = (url: string, args: readonly string[] = [], afterMs = 0): Promise<CommandRun> =>
  command(['db', 'import', '--json', ...args], {
    folder: folder.path,
    environment: { POSTERN_DATA_DIR: dataFolder, POSTERN_DATABASE_URL: url },
    now: () => Date.now() + afterMs,
  });

describe('a gateway’s SQLite database, brought to PostgreSQL', () => {
  let stored: Answer;
  let pending: string;
  let queued: string;
  let openRequestId: string;
  let entriesBefore: readonly { id: string; seq: number }[];

  beforeAll(async () => {
    const gateway = await startGateway({ dataFolder, config: config() });
    stored = await send(gateway, '/to/api/things', 'stored');
    expect(stored.status).toBe(201);
    pending = (await send(gateway, '/to/careful/payments', 'asked')).problem().approval?.id ?? '';
    // Four run at a time: of five one waits.
    const accepted = await Promise.all(
      ['1', '2', '3', '4', '5'].map((key) =>
        send(gateway, '/to/slow/jobs', `queued-${key}`, { prefer: 'respond-async' }),
      ),
    );
    expect(accepted.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    queued = accepted[4]?.headers['location'] ?? '';
    send(gateway, '/to/slow/open', 'open').catch(() => undefined);
    await vi.waitFor(() => expect(held).toHaveLength(5), { timeout: 30_000 });
    const [intent] = await eventualAuditEvents(gateway, { type: 'intent', integration: 'slow' }, 5);
    openRequestId = intent?.requestId ?? '';

    // While the gateway runs: refused, or a trial.
    const refused = await importInto(database.ownerUrl);
    expect(refused).toMatchObject({ code: 1, notes: expect.stringContaining('A gateway runs on the data folder') });
    await using trial = await makeRoledDatabase();
    await migrate(trial);
    expect(await importInto(trial.ownerUrl, ['--snapshot'])).toMatchObject({ code: 0 });

    entriesBefore = await auditEvents(gateway);
    await gateway.kill('SIGKILL');
    for (const response of held) response.destroy();
    await gateway.close();
  }, 60_000);

  test('is refused until the target is migrated, and until the lease of the killed gateway is over', async () => {
    const unmigrated = await importInto(database.ownerUrl, [], LEASE_MS);
    expect(unmigrated).toMatchObject({ code: 1, notes: expect.stringContaining('run "postern migrate"') });
    await migrate(database);
    const early = await importInto(database.ownerUrl);
    expect(early).toMatchObject({ code: 1, notes: expect.stringContaining('was killed within the last seconds') });
  });

  test('is copied with equal counts and digests, and told in a table', async () => {
    const { code, out, notes } = await importInto(database.ownerUrl, [], LEASE_MS);
    expect(notes).toMatch(/copied audit_entries: (\d+) of \1\n/);
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report.outcome).toBe('stored');
    const rows = Object.fromEntries(report.tables.map(({ table, target }: Comparison) => [table, target.rows]));
    expect(rows).toMatchObject({
      agents: 1,
      agent_keys: 1,
      secrets: 1,
      integrations: 3,
      approvals: 1,
      queued_calls: 5,
    });
    expect(rows['claims']).toBe(8);
    expect(rows['sealed_requests']).toBe(6);
    const again = await command(['db', 'import', '--from', `${dataFolder}/postern.db`, '--to', database.ownerUrl], {
      folder: folder.path,
      environment: {},
      now: () => Date.now() + LEASE_MS,
    });
    expect(again.out).toMatch(/^claims +8 +8 +yes$/m);
    expect(again.out).toMatch(/^default +\d+ +\d+ +yes +[0-9a-f]{64}$/m);
    expect(again.out).toContain('All of it had been there already');
  });

  test('takes no gateway that has another master key', async () => {
    const other = path.join(folder.path, 'other');
    const refused = await startRefused({
      dataFolder: other,
      environment: { POSTERN_DATABASE_URL: database.gatewaysUrl },
    });
    expect(refused.stderr).toContain('POSTERN_MASTER_KEY');
    expect(refused.code).toBe(1);
  });

  test('serves the same agents, secrets, keys and approvals, and goes on where it was', async () => {
    isSlow = false;
    // What is left of SQLite must not be what answers.
    await rename(path.join(dataFolder, 'postern.db'), path.join(folder.path, 'former.db'));
    await using gateway = await startGateway({
      dataFolder,
      environment: { POSTERN_DATABASE_URL: database.gatewaysUrl },
    });
    const before = came.length;

    const replayed = await send(gateway, '/to/api/things', 'stored');
    expect([replayed.status, replayed.text, replayed.headers['postern-idempotency']]).toEqual([
      201,
      stored.text,
      'replayed',
    ]);
    expect((await send(gateway, '/to/slow/open', 'open')).problem().code).toBe('outcome_unknown');
    const fresh = await send(gateway, '/to/api/things', 'fresh');
    expect(fresh.status).toBe(201);
    expect(came.at(-1)?.headers['authorization']).toBe(`Bearer ${SECRET}`);

    // Open calls were closed once, by recovery.
    const outcomes = await auditEvents(gateway, { type: 'outcome', requestId: openRequestId });
    expect(outcomes).toMatchObject([{ result: 'unknown' }]);
    const entries = await auditEvents(gateway);
    expect(entries.slice(0, entriesBefore.length)).toEqual(entriesBefore);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_entry, place) => place));

    // The one that waited is sent, once.
    await vi.waitFor(async () => {
      const state = await call(gateway.dataUrl, new URL(queued, gateway.dataUrl).pathname, {
        headers: { 'postern-key': coder.key },
      });
      expect(state.json()).toMatchObject({ status: 'done' });
    }, 30_000);
    expect(came.slice(before).filter((request) => request.url === '/slow/jobs')).toHaveLength(1);

    // What was asked for is what is approved and sent.
    expect((await postern(gateway, ['approvals', 'approve', pending])).code).toBe(0);
    const executed = await call(gateway.dataUrl, `/v1/approvals/${pending}/execute`, {
      body: '',
      headers: { 'postern-key': coder.key },
    });
    expect(executed.json()).toMatchObject({ status: 201 });
    expect(Buffer.from(came.at(-1)?.body ?? []).toString()).toBe('a body');
    expect((await control(gateway, 'GET', '/v1/integrations/careful')).status).toBe(200);
  });
});

interface Comparison {
  readonly table: string;
  readonly target: { readonly rows: number };
}

async function migrate({ role, ownerUrl }: RoledDatabase): Promise<void> {
  const environment = { POSTERN_DATABASE_URL: ownerUrl };
  expect((await command(['migrate', '--grant-to', role], { folder: folder.path, environment })).code).toBe(0);
}

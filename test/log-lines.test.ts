import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import path from 'node:path';
import { startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call } from './support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from './support/scenario.ts';
import { type GatewayOptions, type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const key = { 'postern-key': coder.key };
const ROOT = path.resolve(import.meta.dirname, '..');
const GUIDE = readFileSync(path.join(ROOT, 'docs/guides/operations.md'), 'utf8');

type Line = Readonly<Record<string, unknown>>;

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end() });
});
afterAll(async () => {
  await upstream?.close();
});

function start(environment: GatewayOptions['environment'] = {}, more: object = {}): Promise<RunningGateway> {
  const config = configOf(
    [coder],
    [
      integration('api', upstream.url, {
        actions: [{ name: 'read', methods: ['GET'], paths: ['/**'] }],
        timeouts: { firstByteMs: 300 },
        retry: { attempts: 2, baseMs: 1, maxMs: 2 },
      }),
    ],
    more,
  );
  return startGateway({ config, environment });
}

/** Every line is whole, or this throws. */
function linesOf(text: string): Line[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

const named = (lines: readonly Line[], message: string) => lines.filter(({ msg }) => msg === message);

/** Calls with URLs so long that few of them fill a pipe. Resolves with how many were answered 200. */
async function callLong(gateway: RunningGateway, count: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  const { hostname, port } = new URL(gateway.dataUrl);
  const path = `/to/api/${'x'.repeat(7_500)}`;
  let passed = 0;
  const one = async () => {
    const outgoing = httpRequest({ hostname, port, path, agent, headers: key }).end();
    const [answer] = await once(outgoing, 'response');
    if (answer.statusCode === 200) passed += 1;
    answer.resume();
    await once(answer, 'end');
  };
  for (let left = count; left > 0; left -= 40) await Promise.all(Array.from({ length: Math.min(40, left) }, one));
  agent.destroy();
  return passed;
}

async function metric(gateway: RunningGateway, name: string): Promise<number> {
  const { text } = await call(gateway.adminUrl, '/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

const DROPPED = 'postern_log_lines_dropped_total';

describe('a reader of the log', () => {
  test('that takes its time gets every line, whole and in order', async () => {
    await using gateway = await start();
    gateway.process.stderr?.pause();
    expect(await callLong(gateway, 400)).toBe(400);
    gateway.process.stderr?.resume();
    expect(await gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    const lines = linesOf(gateway.stderr());
    const ids = named(lines, 'call').map(({ requestId }) => requestId);
    expect(new Set(ids).size).toBe(400);
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
  });

  test('that stops and goes on finds what is missing counted, in its place', async () => {
    await using gateway = await start();
    gateway.process.stderr?.pause();
    expect(await callLong(gateway, 2_400)).toBe(2_400);
    // The question for it is a line of its own, which is lost like all others now.
    expect(await metric(gateway, DROPPED)).toBeGreaterThan(200);
    gateway.process.stderr?.resume();
    await vi.waitFor(() => expect(gateway.stderr()).toContain('log lines dropped'), { timeout: 10_000 });
    expect(await callLong(gateway, 40)).toBe(40);
    const dropped = await metric(gateway, DROPPED);
    expect(await gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    const lines = linesOf(gateway.stderr());
    const kept = named(lines, 'call').length + named(lines, 'control plane request').length;
    expect(kept).toBe(2_440 + 2 - dropped);
    const notices = named(lines, 'log lines dropped');
    expect(notices.reduce((sum, line) => sum + Number(line['dropped']), 0)).toBe(dropped);
    expect(notices[0]).toMatchObject({ level: 40, time: expect.any(String), node: expect.any(String) });
    const place = lines.indexOf(notices[0] as Line);
    expect(named(lines.slice(0, place), 'call').length).toBe(2_400 + 1 - dropped);
    // 8 MiB wait, and some more lie in buffers of the system and of this process.
    expect(gateway.stderr().length).toBeLessThan(8_388_608 * 1.5);
  });

  test('that is gone harms nobody', async () => {
    await using gateway = await start();
    gateway.process.stderr?.destroy();
    expect(await callLong(gateway, 200)).toBe(200);
    await vi.waitFor(async () => expect(await metric(gateway, DROPPED)).toBeGreaterThan(0), { timeout: 5_000 });
    expect(await callLong(gateway, 40)).toBe(40);
    gateway.process.kill('SIGTERM');
    const [code] = await once(gateway.process, 'exit');
    expect(code).toBe(0);
  });

  test('that never takes anything again does not keep the gateway from ending', async () => {
    await using gateway = await start();
    gateway.process.stderr?.pause();
    expect(await callLong(gateway, 400)).toBe(400);
    const since = performance.now();
    gateway.process.kill('SIGTERM');
    const [code] = await once(gateway.process, 'exit');
    expect(code).toBe(0);
    expect(performance.now() - since).toBeLessThan(10_000);
    gateway.process.stderr?.resume();
  });

  test('that is a file gets every line', async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'log');
    const descriptor = openSync(file, 'a');
    const gateway = await startOnto(descriptor, folder.path);
    closeSync(descriptor);
    for (let round = 0; round < 50; round += 1) await call(gateway.dataUrl, '/to/none/x', { headers: key });
    gateway.child.kill('SIGTERM');
    await once(gateway.child, 'exit');
    const lines = linesOf(readFileSync(file, 'utf8'));
    expect(named(lines, 'call').length).toBe(50);
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' });
  });
});

async function startOnto(descriptor: number, folder: string): Promise<{ dataUrl: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [path.join(ROOT, 'apps/gateway/bin/gateway.js')], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      POSTERN_DATA_DIR: path.join(folder, 'data'),
      POSTERN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
      POSTERN_CONFIG: '',
    },
    stdio: ['ignore', 'pipe', descriptor],
  });
  for await (const text of child.stdout?.setEncoding('utf8') ?? []) {
    const dataUrl = /data=(\S+)/.exec(text)?.[1];
    if (dataUrl !== undefined) return { dataUrl, child };
  }
  throw new Error('the gateway did not start');
}

describe('POSTERN_LOG_LEVEL and POSTERN_LOG_FORMAT', () => {
  async function logOf(environment: Record<string, string>): Promise<string> {
    await using gateway = await start(environment);
    await call(gateway.dataUrl, '/to/api/x', { headers: key });
    await gateway.kill('SIGTERM');
    return gateway.stderr();
  }

  test('info is the default, and has calls but no attempts', async () => {
    const lines = linesOf(await logOf({}));
    expect(named(lines, 'call').length).toBe(1);
    expect(named(lines, 'attempt')).toEqual([]);
  });

  test('debug has attempts', async () => {
    const lines = linesOf(await logOf({ POSTERN_LOG_LEVEL: 'debug' }));
    expect(named(lines, 'attempt')).toMatchObject([{ level: 20, status: 200, integration: 'api' }]);
  });

  test('warn leaves calls out', async () => {
    const lines = linesOf(await logOf({ POSTERN_LOG_LEVEL: 'warn' }));
    expect(named(lines, 'call')).toEqual([]);
    expect(lines.every(({ level }) => Number(level) >= 40)).toBe(true);
  });

  test('silent says nothing', async () => {
    expect(await logOf({ POSTERN_LOG_LEVEL: 'silent' })).toBe('');
  });

  test('pretty is for people', async () => {
    const text = await logOf({ POSTERN_LOG_FORMAT: 'pretty' });
    expect(text).toMatch(/INFO.*call/);
    expect(text).toContain('integration: "api"');
    expect(text).not.toContain('{"level"');
  });

  test('an environment is named in every line', async () => {
    const lines = linesOf(await logOf({ POSTERN_ENVIRONMENT: 'staging' }));
    expect(lines.every(({ environment }) => environment === 'staging')).toBe(true);
  });
});

/** The first column of a table of the guide, the names in code quotes. */
function firstColumn(from: string): string[] {
  const rest = GUIDE.slice(GUIDE.indexOf(from) + from.length);
  const table = rest.slice(rest.indexOf('\n| ')).split('\n\n')[0] ?? '';
  return [...table.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name);
}

async function approve({ adminUrl, adminToken }: RunningGateway, id: string): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
  const answer = await call(adminUrl, `/v1/approvals/${id}/approve`, { method: 'POST', headers, body: '{}' });
  expect(answer.status).toBe(200);
}

describe('the guide', () => {
  test('lists every field of the line of a call, and no other', async () => {
    const documented = firstColumn('The line of a call, `msg` `call`:');
    const fails = { id: 'fails', effect: 'allow', when: 'request.body.x == 1' };
    const silent = { id: 'silent', effect: 'deny', shadow: true };
    const asks = { id: 'asks', effect: 'require_approval', methods: ['OPTIONS'] };
    await using gateway = await start(
      { POSTERN_ENVIRONMENT: 'staging', OTEL_EXPORTER_OTLP_ENDPOINT: upstream.url },
      { rules: [ALLOW_ALL, fails, silent, asks], risk: {} },
    );
    await call(gateway.dataUrl, '/to/api/x?file=..%2Fx', { headers: { ...key, 'x-request-id': 'mine' } });
    await call(gateway.dataUrl, '/to/none/x', { headers: key });
    upstream.answerWith((_request, response) => void response.destroy());
    await call(gateway.dataUrl, '/to/api/x', { headers: key });
    upstream.answerWith((_request, response) => void response.end());
    const held = await call(gateway.dataUrl, '/to/api/x', { method: 'OPTIONS', headers: key });
    const queued = { 'idempotency-key': 'k-1', prefer: 'respond-async' };
    expect((await call(gateway.dataUrl, '/to/api/y', { headers: { ...key, ...queued } })).status).toBe(202);
    await vi.waitFor(() => expect(upstream.requests.map(({ url }) => url)).toContain('/y'), 5_000);
    await approve(gateway, held.problem().approval?.id ?? '');
    await call(gateway.dataUrl, '/to/api/x', { method: 'OPTIONS', headers: key });
    await gateway.kill('SIGTERM');
    const calls = named(linesOf(gateway.stderr()), 'call');
    expect(calls.length).toBe(7);
    const general = ['level', 'time', 'node', 'environment', 'msg'];
    const seen = new Set(calls.flatMap((line) => Object.keys(line)).filter((name) => !general.includes(name)));
    expect([...seen].sort()).toEqual([...documented].sort());
    for (const line of calls) for (const name of general) expect(line).toHaveProperty(name);
  });

  test('lists the fields of the other lines that programs may rely on', async () => {
    const rows = [...GUIDE.matchAll(/^\| `([a-z ]+)` +\| (`.+?) +\|$/gm)];
    const documented = new Map(
      rows.map(([, name = '', fields = '']) => [name, [...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field)]),
    );
    await using gateway = await start();
    upstream.answerWith((_request, response) => void response.destroy());
    await call(gateway.dataUrl, '/to/api/x', { headers: key });
    upstream.answerWith((_request, response) => void response.end());
    await call(gateway.adminUrl, '/v1/whoami');
    await gateway.kill('SIGTERM');
    const lines = linesOf(gateway.stderr());
    for (const name of ['attempt', 'control plane request', 'fault', 'configuration applied']) {
      const [line] = named(lines, name);
      expect(line, name).toBeDefined();
      const own = Object.keys(line ?? {}).filter((field) => !['level', 'time', 'node', 'msg'].includes(field));
      expect(documented.get(name), name).toEqual(expect.arrayContaining(own));
    }
  });

  test('lists every metric, and no other', async () => {
    const documented = firstColumn('counts as `-`.').map((name) => name.replace(/\{.*/, ''));
    await using gateway = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: upstream.url });
    const { text } = await call(gateway.adminUrl, '/metrics');
    const shown = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name);
    // Those of stores that this gateway does not have; the tests of several nodes see them.
    const ofStores = ['clock_ahead_seconds', 'redis_failed_commands_total', 'rate_limit_fallbacks_total'];
    expect([...shown, ...ofStores.map((name) => `postern_${name}`)].sort()).toEqual(documented.sort());
  });
});

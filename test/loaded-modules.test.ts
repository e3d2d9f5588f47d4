import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startUpstream, type TemporaryFolder, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** What only some gateways need, by the paths of the modules. Most of the time to ready goes into loading. */
const ON_DEMAND = {
  metrics: /\/(?:prom-client|@opentelemetry)\//,
  assertions: /\/node_modules\/jose\//,
  'other stores': /\/node_modules\/(?:pg|ioredis)\/|\/packages\/db\/src\/(?:postgres|redis|import)[/.]/,
  'the control plane': /\/node_modules\/fastify\/|\/packages\/admin\/src\/admin-server/,
};
const CONFIGURATION_AS_CODE = /\/node_modules\/yaml\/|\/packages\/admin\/src\/config\//;

const coder = newAgent('coder');
const modulesFile = () => path.join(folder.path, 'modules.txt');
const loaded = (some: RegExp) =>
  readFileSync(modulesFile(), 'utf8')
    .split('\n')
    .filter((url) => some.test(url));

let folder: TemporaryFolder;
let upstream: Upstream;
let dataFolder: string;

function start(options: Parameters<typeof startGateway>[0]): Promise<RunningGateway> {
  const hook = new URL('support/told-modules.ts', import.meta.url).href;
  const environment = { NODE_OPTIONS: `--import ${hook}`, TOLD_MODULES_FILE: modulesFile() };
  return startGateway({ ...options, dataFolder, environment });
}

beforeAll(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
  dataFolder = path.join(folder.path, 'data');
});

afterAll(async () => {
  await upstream?.close();
  await folder?.remove();
});

test('the patterns mean the modules that are there', () => {
  const require = createRequire(import.meta.url);
  const urlOf = (name: string) => pathToFileURL(require.resolve(name)).href;
  expect(urlOf('prom-client')).toMatch(ON_DEMAND.metrics);
  expect(urlOf('jose')).toMatch(ON_DEMAND.assertions);
  for (const name of ['pg', 'ioredis', '@postern/db/postgres', '@postern/db/redis'])
    expect(urlOf(name)).toMatch(ON_DEMAND['other stores']);
  expect(urlOf('fastify')).toMatch(ON_DEMAND['the control plane']);
});

test('a start and a call load nothing that only other gateways need, and what is asked for comes', async () => {
  await using gateway = await start({ config: configOf([coder], [integration('api', upstream.url)]) });
  const answer = await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
  expect(answer.status).toBe(200);
  for (const [name, paths] of Object.entries(ON_DEMAND)) expect([name, ...loaded(paths)]).toEqual([name]);
  expect(loaded(CONFIGURATION_AS_CODE)).not.toEqual([]);

  const metrics = await call(gateway.adminUrl, '/metrics');
  expect(metrics.text).toContain('postern_calls_total{integration="api",outcome="passed",code="200"} 1\n');
  expect(loaded(ON_DEMAND.metrics)).not.toEqual([]);
  expect(loaded(ON_DEMAND['the control plane'])).not.toEqual([]);
});

test('a start without a file loads nothing of configuration as code', async () => {
  const before = loaded(CONFIGURATION_AS_CODE).length;
  await using gateway = await start({});
  const answer = await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
  expect(answer.status).toBe(200);
  expect(loaded(CONFIGURATION_AS_CODE)).toHaveLength(before);
});

test('what a start compiled is kept though the program is killed', async () => {
  const cache = path.join(folder.path, 'compiled');
  const kept = () => readdirSync(cache, { recursive: true }).length;
  {
    await using gateway = await startGateway({ dataFolder, environment: { NODE_COMPILE_CACHE: cache } });
    // The threads of the database keep theirs first.
    await vi.waitFor(() => expect(kept()).toBeGreaterThan(500), { timeout: 10_000 });
    expect((await gateway.kill('SIGKILL')).signal).toBe('SIGKILL');
  }
  expect(kept()).toBeGreaterThan(500);
});

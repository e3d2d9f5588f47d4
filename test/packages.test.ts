import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { startUpstream, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '..');
const PACKAGES = ['ssrf-guard', 'proxy-runtime'];

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: TemporaryFolder;
const packed = new Map<string, Packed>();
const manifestsBefore = new Map(PACKAGES.map((name) => [name, readManifest(name)]));

function readManifest(name: string): string {
  return readFileSync(path.join(ROOT, 'packages', name, 'package.json'), 'utf8');
}

/** npm as a stranger would run it, without what the surrounding `npm test` has set. */
function npm(parameters: readonly string[], cwd: string): Promise<{ stdout: string }> {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
  return run('npm', parameters, { cwd, env: Object.fromEntries(environment) });
}

async function pack(name: string): Promise<Packed> {
  const { stdout } = await npm(['pack', '-w', `@postern/${name}`, '--json', '--pack-destination', folder.path], ROOT);
  // Lifecycle scripts may print before npm does.
  const [result] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as Packed[];
  if (result === undefined) throw new Error(`npm pack made nothing of ${name}`);
  return result;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const name of PACKAGES) packed.set(name, await pack(name));
  writeFileSync(
    path.join(folder.path, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module' }),
  );
  const tarballs = [...packed.values()].map(({ filename }) => `./${filename}`);
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs], folder.path);
}, 180_000);

afterAll(() => folder.remove());

/** Runs a module of JavaScript in the stranger's project and gives back what it printed, as JSON. */
async function runScript(source: string): Promise<unknown> {
  const file = path.join(folder.path, 'script.js');
  writeFileSync(file, source);
  const { stdout } = await run(process.execPath, ['--no-strip-types', file], { cwd: folder.path });
  return JSON.parse(stdout);
}

test.each(PACKAGES)('the tarball of %s holds JavaScript, types, README and licence, and nothing else', (name) => {
  const files = packed.get(name)?.files.map((file) => file.path) ?? [];
  expect(files).toEqual(
    expect.arrayContaining(['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts']),
  );
  const others = files.filter(
    (file) => !/^(LICENSE|README\.md|package\.json|dist\/[a-z0-9./-]+\.(js|d\.ts))$/.test(file),
  );
  expect(others).toEqual([]);
  expect(files.filter((file) => /test|fixture|conformance/.test(file))).toEqual([]);
});

test.each(PACKAGES)('packing %s leaves the workspace as it was', (name) => {
  expect(readManifest(name)).toBe(manifestsBefore.get(name));
  expect(existsSync(path.join(ROOT, 'packages', name, 'LICENSE'))).toBe(false);
  expect(existsSync(path.join(ROOT, 'packages', name, 'dist/workspace-package.json'))).toBe(false);
});

test('the guard judges addresses and targets from plain JavaScript', async () => {
  const result = await runScript(`
    import { classifyAddress, judgeTarget } from '@postern/ssrf-guard';
    const resolve = async () => ({ addresses: ['93.184.215.14', '10.0.0.1'] });
    console.log(JSON.stringify({
      classes: ['93.184.215.14', '169.254.169.254', '::ffff:127.0.0.1'].map((address) => classifyAddress(address)),
      mixed: (await judgeTarget('https://mixed.test/', { resolve })).verdict,
      global: (await judgeTarget('https://global.test/', { resolve: async () => ({ addresses: ['93.184.215.14'] }) })).verdict,
    }));
  `);
  expect(result).toEqual({ classes: ['global', 'metadata', 'loopback'], mixed: 'deny', global: 'allow' });
});

test('the runtime forwards a call from plain JavaScript, and only to an address it may reach', async () => {
  await using upstream = await startUpstream();
  const result = await runScript(`
    import { createUpstreamClient, ProxyRefusal, proxyRequest } from '@postern/proxy-runtime';
    async function call(network) {
      const client = createUpstreamClient({ baseUrl: '${upstream.url}/base', network });
      try {
        const request = { method: 'POST', path: '/things', headers: { 'x-one': '1', cookie: 'a=b' }, body: new TextEncoder().encode('hello') };
        const answer = await proxyRequest({ requestId: 'req_1' }, client, request);
        const chunks = [];
        for await (const chunk of answer.body) chunks.push(chunk);
        return { status: answer.status, body: JSON.parse(Buffer.concat(chunks).toString()) };
      } catch (error) {
        return { refused: error instanceof ProxyRefusal, code: error.code };
      } finally {
        await client.close();
      }
    }
    const open = await call({ unsafeAllowAddresses: ['127.0.0.1/32'] });
    const closed = await call({});
    console.log(JSON.stringify({ open, closed }));
  `);
  expect(result).toMatchObject({
    open: { status: 200, body: { method: 'POST', url: '/base/things', body: 'hello' } },
    closed: { refused: true, code: 'address_forbidden' },
  });
  expect(upstream.requests).toHaveLength(1);
  expect(upstream.requests[0]?.headers).toMatchObject({ 'x-one': '1', 'x-request-id': 'req_1' });
  expect(upstream.requests[0]?.headers).not.toHaveProperty('cookie');
});

test('the runtime tries again and leaves a failing upstream alone from plain JavaScript', async () => {
  let failures = 2;
  await using upstream = await startUpstream({
    handler: (request, response) => {
      failures -= 1;
      response.writeHead(request.url === '/down' || failures >= 0 ? 503 : 200).end();
    },
  });
  const result = await runScript(`
    import { createUpstreamClient, mapUpstreamError, proxyRequest, withProxyObservability } from '@postern/proxy-runtime';
    const client = createUpstreamClient({
      baseUrl: '${upstream.url}',
      network: { unsafeAllowAddresses: ['127.0.0.1/32'] },
      retry: { attempts: 3, baseMs: 1, maxMs: 2 },
      breaker: { failures: 3, windowMs: 10000, openMs: 30000 },
    });
    const records = [];
    const call = withProxyObservability(proxyRequest, { onAttempt: (record) => records.push(record) });
    const send = async (path) => {
      const { status, attempts, body } = await call({}, client, { method: 'GET', path, headers: {} });
      for await (const chunk of body) void chunk;
      return { status, attempts };
    };
    const first = await send('/');
    const down = await send('/down');
    const refused = await send('/down').catch(mapUpstreamError);
    await client.close();
    console.log(JSON.stringify({ first, down, refused, told: records.map(({ attempt, status, code }) => [attempt, status ?? code]) }));
  `);
  expect(result).toEqual({
    first: { status: 200, attempts: 3 },
    // Two failures of before and this one: the breaker opens, and the answer is passed on.
    down: { status: 503, attempts: 1 },
    refused: { code: 'circuit_open', status: 503, retryable: true },
    told: [
      [1, 503],
      [2, 503],
      [3, 200],
      [1, 503],
      [1, 'circuit_open'],
    ],
  });
});

test('a stranger’s TypeScript finds the types', async () => {
  const file = path.join(folder.path, 'stranger.ts');
  const lines = [
    "import { type AddressClass, classifyAddress } from '@postern/ssrf-guard';",
    "import * as runtime from '@postern/proxy-runtime';",
    "export const known: AddressClass = classifyAddress('127.0.0.1');",
    '// @ts-expect-error: an address is a text',
    'classifyAddress(1);',
    'export const names = Object.keys(runtime);',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--ignoreConfig'];
  const typeRoots = ['--typeRoots', path.join(ROOT, 'node_modules/@types'), '--types', 'node'];
  await run(path.join(ROOT, 'node_modules/.bin/tsc'), [...flags, ...typeRoots, file], { cwd: folder.path });
});

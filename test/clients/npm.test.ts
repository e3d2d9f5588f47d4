import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { startNpmUpstream, temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { isRefusedOnce } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { type ProgramEnd, runProgram } from './run-program.ts';

const TOKEN = 'npm_upstream0123456789abcdef';

/** Their documents and tarballs are fetched side by side. */
const NEEDLES = Array.from({ length: 50 }, (_, index) => `needle-${index}`);

const client = clientGateway({
  name: 'npm',
  stub: () =>
    startNpmUpstream({
      token: TOKEN,
      packages: {
        tree: ['leaf', '@our/bud'],
        leaf: [],
        '@our/bud': [],
        fir: NEEDLES,
        ...Object.fromEntries(NEEDLES.map((name) => [name, []])),
      },
    }),
  credential: { type: 'bearer', secret: 'upstream' },
  secret: TOKEN,
  denied: ['/closed'],
  more: { listen: '127.0.0.1:0' },
});

interface Project {
  readonly end: ProgramEnd;
  /** What `require` gives for a package that was installed. */
  required(name: string): unknown;
}

/** `npm install` of one package into a new project; `look` is called before the project goes. */
async function install(name: string, look: (project: Project) => void | Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  const registry = await client.ownUrl();
  await writeFile(path.join(folder.path, 'package.json'), '{"name":"project","version":"1.0.0","private":true}');
  const settings = [
    `registry=${registry}/`,
    `${registry.replace('http:', '')}/:_authToken=${client.key}`,
    // The registry's documents name its own tarballs, which lie outside the gateway.
    'replace-registry-host=always',
    ...['audit=false', 'fund=false', 'update-notifier=false', `cache=${folder.path}/cache`],
    ...['fetch-retry-mintimeout=10', 'fetch-retry-maxtimeout=10'],
  ];
  await writeFile(path.join(folder.path, '.npmrc'), settings.join('\n'));
  const options = { folder: folder.path, environment: { HOME: folder.path, npm_config_userconfig: '/dev/null' } };
  const end = await runProgram('npm', ['install', name], options);
  const require = createRequire(path.join(folder.path, 'package.json'));
  await look({ end, required: (each) => require(each) });
}

const check = clientRow({
  client: { program: 'npm' },
  baseUrl: '`registry={listen}/`, `replace-registry-host=always`',
  agentKey: '`_authToken`',
});

check('Besides', 'a package is installed with what it needs', async () => {
  await install('tree', ({ end, required }) => {
    expect(end.code, end.stderr).toBe(0);
    expect(['tree', 'leaf', '@our/bud'].map(required)).toEqual(['tree', 'leaf', '@our/bud']);
  });
  expect(client.stub.requests.map(({ url }) => url).sort()).toEqual([
    ...['/@our%2fbud', '/@our/bud/-/bud-1.0.0.tgz'],
    ...['/leaf', '/leaf/-/leaf-1.0.0.tgz', '/tree', '/tree/-/tree-1.0.0.tgz'],
  ]);
  return 'install';
});

check('50 at once', 'are packages that one needs', () =>
  install('fir', ({ end, required }) => {
    expect(end.code, end.stderr).toBe(0);
    expect(NEEDLES.map(required)).toEqual(NEEDLES);
  }),
);

check('404', 'is told', () =>
  install('none', ({ end }) => {
    expect(end.code).toBe(1);
    expect(end.stderr).toMatch(/^npm \S+ code E404$/m);
  }),
);

check('429', 'is waited for by the gateway', async () => {
  const before = client.stub.requests.length;
  client.stub.failNext({ status: 429, headers: { 'retry-after': '1' } });
  await install('leaf', ({ end }) => expect(end.code, end.stderr).toBe(0));
  expect(client.stub.requests.slice(before).map(({ url }) => url)).toEqual([
    '/leaf',
    '/leaf',
    '/leaf/-/leaf-1.0.0.tgz',
  ]);
  const [first = 0, second = 0] = client.stub.arrivals.slice(before);
  expect(second - first).toBeGreaterThanOrEqual(950);
  return 'the gateway waits';
});

check('Denied', 'is told', () =>
  isRefusedOnce(client, () =>
    install('closed', ({ end }) => {
      expect(end.code).toBe(1);
      expect(end.stderr).toMatch(/^npm \S+ code E403$/m);
    }),
  ),
);

test('a project goes back to the registry for what was installed before', async () => {
  const before = client.stub.requests.length;
  await install('leaf', ({ end }) => expect(end.code).toBe(0));
  expect(client.stub.requests.length - before).toBe(2);
});

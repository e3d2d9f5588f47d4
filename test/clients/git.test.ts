import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { GIT_ENVIRONMENT, startGitUpstream, type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { runProgram } from './run-program.ts';

const PASSWORD = 'git-upstream-0123456789abcdef';
/** So many that what a clone asks for is over 1 KiB, which git sends compressed. */
const BRANCHES = 40;

const client = clientGateway({
  name: 'git',
  stub: () => startGitUpstream({ username: 'bot', password: PASSWORD }),
  credential: { type: 'basic', username: 'bot', secret: 'upstream' },
  secret: PASSWORD,
  denied: ['/closed.git/**', '/frozen.git/git-receive-pack'],
});
let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder();
  const history = Array.from({ length: BRANCHES }, (_, index) => commitOn(index === 0 ? 'main' : `branch-${index}`));
  await client.stub.createRepository('project.git', history.join(''));
  await client.stub.createRepository('frozen.git', commitOn('main'));
});
afterAll(() => folder?.remove());

const WHO = {
  ...{ GIT_AUTHOR_NAME: 'Coder', GIT_AUTHOR_EMAIL: 'coder@example.com' },
  ...{ GIT_COMMITTER_NAME: 'Coder', GIT_COMMITTER_EMAIL: 'coder@example.com' },
};
const at = (place: string) => path.join(folder.path, place);
/** Git with the agent key in a field of its own. */
const git = (parameters: readonly string[], where = '.') =>
  runProgram('git', ['-c', `http.extraHeader=Postern-Key: ${client.key}`, ...parameters], {
    environment: { ...GIT_ENVIRONMENT, ...WHO, HOME: folder.path },
    folder: at(where),
  });

async function succeed(parameters: readonly string[], where?: string): Promise<string> {
  const { code, stdout, stderr } = await git(parameters, where);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Clones, and commits a file of so many bytes that cannot be compressed. */
async function cloneWith(repository: string, name: string, bytes: number): Promise<Buffer> {
  await succeed(['clone', '--quiet', `${client.url}/${repository}`, name]);
  const content = randomBytes(bytes);
  await writeFile(path.join(at(name), 'large'), content);
  await succeed(['add', 'large'], name);
  await succeed(['commit', '--quiet', '-m', 'Large'], name);
  return content;
}

const check = clientRow({
  client: { program: 'git' },
  baseUrl: '`{gateway}/to/git/project.git`',
  agentKey: '`http.extraHeader`, or the password of the URL',
});

check('Besides', 'a clone has all branches', async () => {
  await succeed(['clone', '--quiet', `${client.url}/project.git`, 'first']);
  expect((await succeed(['branch', '--remotes'], 'first')).split('\n')).toHaveLength(BRANCHES + 1);
  expect(await readFile(at('first/README'), 'utf8')).toBe('main\n');
  expect(client.stub.requests.at(-1)?.headers['content-encoding']).toBe('gzip');
  return 'clone, push';
});

check('Besides', 'a push over 1 MiB, in chunks, and what it leaves', async () => {
  const content = await cloneWith('project.git', 'second', 1_500_000);
  await succeed(['push', '--quiet', 'origin', 'main'], 'second');
  expect(client.stub.requests.at(-1)?.body.byteLength).toBeGreaterThan(1_048_576);
  expect(await client.stub.git('project.git', 'log', '-1', '--format=%s', 'main')).toBe('Large\n');
  await succeed(['clone', '--quiet', `${client.url}/project.git`, 'third']);
  expect(await readFile(at('third/large'))).toEqual(content);
  return 'clone, push';
});

test('the agent key may be the password of the URL', async () => {
  const url = client.url.replace('://', `://agent:${client.key}@`);
  const { code, stderr } = await runProgram('git', ['clone', '--quiet', `${url}/project.git`, at('fourth')], {
    environment: { ...GIT_ENVIRONMENT, HOME: folder.path },
  });
  expect([code, stderr]).toEqual([0, '']);
});

check('404', 'is a repository that is not found', async () => {
  const { code, stderr } = await git(['clone', `${client.url}/none.git`]);
  expect(code).toBe(128);
  expect(stderr).toContain(`repository '${client.url}/none.git/' not found`);
});

check('429', 'is told', async () => {
  const before = client.stub.requests.length;
  client.stub.failNext({ status: 429, headers: { 'retry-after': '1' }, method: 'POST' });
  const { code, stderr } = await git(['-c', 'protocol.version=0', 'clone', `${client.url}/project.git`, 'fifth']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('HTTP 429');
  expect(client.stub.requests.slice(before).map(({ method }) => method)).toEqual(['GET', 'POST']);
  return 'is told';
});

check('Denied', 'is told', () =>
  isRefusedOnce(client, async () => {
    const { code, stderr } = await git(['clone', `${client.url}/closed.git`]);
    expect(code).toBe(128);
    expect(stderr).toContain('error: 403');
  }),
);

test('a push that is denied where reading is allowed leaves nothing', async () => {
  await cloneWith('frozen.git', 'sixth', 1_000);
  // One to read what is there, one to write.
  expect(
    await client.attemptsOf(async () => {
      const { code, stderr } = await git(['push', 'origin', 'main'], 'sixth');
      expect(code).not.toBe(0);
      expect(stderr).toContain('HTTP 403');
    }),
  ).toEqual({ atGateway: 2, atStub: 1 });
  expect(await client.stub.git('frozen.git', 'log', '--format=%s', 'main')).toBe('Begin\n');
});

check('Upload limit', 'is told, and the smaller push goes', async () => {
  await cloneWith('project.git', 'seventh', 2_100_000);
  const { code, stderr } = await git(['push', 'origin', 'main:refs/heads/large'], 'seventh');
  expect(code).not.toBe(0);
  expect(stderr).toContain('HTTP 413');
  await succeed(['push', '--quiet', 'origin', 'main~1:refs/heads/small'], 'seventh');
  expect(await client.stub.git('project.git', 'branch', '--list', 'large', 'small')).toBe('  small\n');
  return '413';
});

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => {
    const { code, stdout } = await git(['ls-remote', `${client.url}/project.git`, 'refs/heads/main']);
    return code === 0 && stdout.endsWith('refs/heads/main\n') ? name : stdout;
  }),
);

/** For `git fast-import`. */
function commitOn(branch: string): string {
  const who = 'Coder <coder@example.com> 1767225600 +0000';
  const text = `${branch}\n`;
  return [
    ...[`commit refs/heads/${branch}`, `committer ${who}`, 'data 5', 'Begin', 'M 100644 inline README'],
    ...[`data ${text.length}`, text],
  ].join('\n');
}

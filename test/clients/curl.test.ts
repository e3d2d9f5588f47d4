import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type StoredFile, temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { type ProgramOptions, runProgram } from './run-program.ts';
import { thingsGateway } from './things-gateway.ts';

const client = thingsGateway();
const QUIET = ['--silent', '--show-error', '--max-time', '20'];
/** Ends with the status in a line of its own. */
const curl = (parameters: readonly string[], options?: ProgramOptions) => {
  const key = ['-H', `Postern-Key: ${client.key}`];
  return runProgram('curl', [...QUIET, ...key, '--write-out', '\n%{http_code}', ...parameters], options);
};
const at = (place: string) => `${client.url}${place}`;
const posting = (name: string) => {
  const json = ['-H', 'Content-Type: application/json', '--data-binary', JSON.stringify({ name })];
  return [...json, at('/things')];
};

const check = clientRow({
  client: { program: 'curl' },
  baseUrl: '`{gateway}/to/things/…`',
  agentKey: '`-H "Postern-Key: …"` or `-u agent:…`',
});

check('JSON', 'a thing, and a new one', async () => {
  expect((await curl([at('/things/one')])).stdout).toBe('{"name":"one"}\n200');
  expect((await curl(posting('Grüße'))).stdout).toBe('{"name":"Grüße"}\n201');
});

check('JSON', 'with the key as a password', async () => {
  const { stdout } = await runProgram('curl', [...QUIET, '-u', `agent:${client.key}`, at('/things/one')]);
  expect(stdout).toBe('{"name":"one"}');
});

check('404', 'is told by the exit code of --fail', async () => {
  expect((await curl([at('/things/none')])).stdout).toMatch(/nothing at \/things\/none.*\n404$/);
  expect((await curl(['--fail', at('/things/none')])).code).toBe(22);
});

check('429', 'is waited for as long as the upstream asks', async () => {
  await waitsForRetryAfter(client.stub, async () => {
    const { code, stdout } = await curl(['--fail', '--retry', '2', ...posting('again')]);
    expect([code, stdout]).toEqual([0, '{"name":"again"}\n201']);
  });
  return 'waits, sends again with `--retry`';
});

test.each([429, 503] as const)('%i is told to a client that does not repeat', (status) =>
  isSentOnce(client.stub, status, async () =>
    expect((await curl(posting('once'))).stdout).toMatch(new RegExp(`\n${status}$`)),
  ),
);

check('Denied', 'is a problem document, and not repeated', () =>
  isRefusedOnce(client, async () => {
    const { stdout } = await curl(['--retry', '2', at('/closed/door')]);
    expect(stdout).toMatch(/"code":"denied".*\n403$/);
  }),
);

check('Streaming', 'an event passes before the next one is made', async () => {
  const release = client.stub.holdStreams();
  const onOutput = (text: string) => text.endsWith('data: second\n\n') && release();
  const { stdout } = await curl(['--no-buffer', at('/events')], { onOutput });
  expect(stdout).toBe('data: first\n\ndata: second\n\ndata: last\n\n\n200');
});

test.each([
  ['with a length', []],
  ['in chunks', ['-H', 'Transfer-Encoding: chunked']],
  ['without waiting for 100', ['-H', 'Expect:']],
])('bytes arrive as they were, %s', async (_how, options) => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'upload');
  const bytes = randomBytes(1_500_000);
  await writeFile(file, bytes);
  const { stdout } = await runProgram('curl', [
    ...QUIET,
    ...['-u', `agent:${client.key}`, '--upload-file', file, ...options, at('/files/upload')],
  ]);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  expect(JSON.parse(stdout)).toEqual({ name: 'upload', bytes: bytes.byteLength, sha256 } satisfies StoredFile);
});

for (const [how, options] of [
  ['with a length, asking before it sends', ['-H', 'Expect: 100-continue']],
  ['with a length, at once', ['-H', 'Expect:']],
  ['in chunks', ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked']],
] as const) {
  check('Upload limit', `is kept to the byte, ${how}`, async () => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'upload');
    const send = async (padding: number) => {
      await writeFile(file, Buffer.alloc(padding + 1));
      const { code, stdout, stderr } = await curl(['--upload-file', file, ...options, at('/files/upload')]);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    const isTooLarge = (sending: Promise<unknown>) =>
      expect(sending).resolves.toMatch(/"code":"request_too_large".*\n413$/);
    return await keepsTheLimit(client, send, isTooLarge);
  });
}

check('50 at once', 'have their own answers', async () => {
  await using folder = await temporaryFolder();
  const all = ['--parallel', '--parallel-immediate', '--parallel-max', '50'];
  expect((await curl([...all, '-o', `${folder.path}/#1`, at('/things/name-[0-49]')])).code).toBe(0);
  await answersEach(async (name) => {
    const text = await readFile(path.join(folder.path, name.slice('name-'.length)), 'utf8');
    return (JSON.parse(text) as { name: string }).name;
  });
});

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { type ProgramOptions, runProgram } from './run-program.ts';
import { thingsGateway } from './things-gateway.ts';

const client = thingsGateway();
const QUIET = ['--no-verbose', '--no-config', '--timeout=20', '--content-on-error', '--output-document=-'];
const wget = (parameters: readonly string[], options?: ProgramOptions) =>
  runProgram('wget', [...QUIET, `--header=Postern-Key: ${client.key}`, ...parameters], options);
const at = (place: string) => `${client.url}${place}`;
const posting = (name: string) => [
  ...['--header=Content-Type: application/json', `--post-data=${JSON.stringify({ name })}`],
  at('/things'),
];
/** "Server issued an error response", in the program's own manual. */
const SERVER_ERROR = 8;

const check = clientRow({
  client: { program: 'wget' },
  baseUrl: '`{gateway}/to/things/…`',
  agentKey: '`--header "Postern-Key: …"` or `--password`',
});

check('JSON', 'a thing, and a new one', async () => {
  expect((await wget([at('/things/one')])).stdout).toBe('{"name":"one"}');
  expect((await wget(posting('Grüße'))).stdout).toBe('{"name":"Grüße"}');
});

check('JSON', 'with the key as a password', async () => {
  const { stdout } = await runProgram('wget', [
    ...QUIET,
    '--user=agent',
    `--password=${client.key}`,
    at('/things/one'),
  ]);
  expect(stdout).toBe('{"name":"one"}');
});

check('404', 'is told by the exit code', async () => {
  const { code, stdout, stderr } = await wget([at('/things/none')]);
  expect([code, JSON.parse(stdout)]).toEqual([SERVER_ERROR, { error: { message: 'nothing at /things/none' } }]);
  expect(stderr).toContain('404');
});

check('429', 'is told by the exit code', async () => {
  await isSentOnce(client.stub, 429, async () => {
    const { code, stderr } = await wget(posting('once'));
    expect(code).toBe(SERVER_ERROR);
    expect(stderr).toContain('429');
  });
  return 'is told';
});

test('503 is told by the exit code', () =>
  isSentOnce(client.stub, 503, async () => expect((await wget(posting('once'))).code).toBe(SERVER_ERROR)));

check('Denied', 'is a problem document, and not repeated', () =>
  isRefusedOnce(client, async () => {
    const { code, stdout } = await wget(['--tries=3', at('/closed/door')]);
    expect([code, JSON.parse(stdout)]).toMatchObject([SERVER_ERROR, { code: 'denied' }]);
  }),
);

check('Streaming', 'the first bytes pass before the last are made', async () => {
  const release = client.stub.holdStreams();
  const onOutput = (text: string) => text === 'first\n' && release();
  const { code, stdout } = await wget([at('/lines')], { onOutput });
  expect([code, stdout]).toEqual([0, 'first\nlast\n']);
});

check('Upload limit', 'is kept to the byte', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'upload');
  const send = async (padding: number) => {
    await writeFile(file, Buffer.alloc(padding + 1));
    return wget(['--method=PUT', `--body-file=${file}`, at('/files/upload')]);
  };
  return await keepsTheLimit(client, send, async (sending) => {
    const { code, stdout } = (await sending) as Awaited<ReturnType<typeof send>>;
    expect([code, JSON.parse(stdout)]).toMatchObject([SERVER_ERROR, { code: 'request_too_large' }]);
  });
});

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => (JSON.parse((await wget([at(`/things/${name}`)])).stdout) as { name: string }).name),
);

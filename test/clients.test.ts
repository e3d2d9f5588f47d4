import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type OpenAiUpstream,
  startOpenAiUpstream,
  startUpstream,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const run = promisify(execFile);
const coder = newAgent('coder');
const API_KEY = 'sk-upstream-0123456789abcdef';
const question = { model: 'stub-1', messages: [{ role: 'user' as const, content: 'hi' }] };

let model: OpenAiUpstream;
let storage: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  model = await startOpenAiUpstream({ apiKey: API_KEY, pieces: ['one ', 'two ', 'three'] });
  storage = await startUpstream({ handler: (_request, response) => void response.end('stored') });
  const integrations = [
    integration('openai', model.url, { credential: { type: 'bearer', secret: 'openai' } }),
    integration('storage', storage.url),
  ];
  gateway = await startGateway({
    config: configOf([coder], integrations, { secrets: { openai: { value: API_KEY } } }),
  });
});

afterAll(async () => {
  await gateway?.close();
  await model?.close();
  await storage?.close();
});

describe('the official OpenAI client, with a base URL and the agent key for its API key', () => {
  const client = () => new OpenAI({ baseURL: `${gateway.dataUrl}/to/openai/v1`, apiKey: coder.key, maxRetries: 0 });

  test('JSON', async () => {
    const completion = await client().chat.completions.create(question);
    expect(completion.choices[0]?.message.content).toBe('one two three');
    expect((await client().models.list()).data[0]?.id).toBe('stub-1');
    for (const request of model.requests) expect(request.rawHeaders.join()).not.toContain('pst_');
  });

  test('a stream, event by event', async () => {
    const pieces: string[] = [];
    for await (const chunk of await client().chat.completions.create({ ...question, stream: true })) {
      pieces.push(chunk.choices[0]?.delta.content ?? '');
    }
    expect(pieces).toEqual(['', 'one ', 'two ', 'three', '']);
  });

  test('an event passes before the next one is made', async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    const chunk = (content: string) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'stub-1', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`;
    await using slow = await startUpstream({
      handler: async (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunk('first'));
        await goOn;
        response.end(`${chunk('second')}data: [DONE]\n\n`);
      },
    });
    await using other = await startGateway({ config: configOf([coder], [integration('openai', slow.url)]) });
    const streaming = new OpenAI({ baseURL: `${other.dataUrl}/to/openai`, apiKey: coder.key, maxRetries: 0 });
    const pieces: (string | null | undefined)[] = [];
    for await (const piece of await streaming.chat.completions.create({ ...question, stream: true })) {
      pieces.push(piece.choices[0]?.delta.content);
      resolve();
    }
    expect(pieces).toEqual(['first', 'second']);
  });

  test('a refusal of the gateway is an API error with its status and code', async () => {
    const stranger = new OpenAI({ baseURL: `${gateway.dataUrl}/to/openai/v1`, apiKey: 'sk-mine', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401 });
  });
});

describe('curl', () => {
  test.each([
    ['with a length', []],
    ['in chunks', ['-H', 'Transfer-Encoding: chunked']],
    ['without waiting for 100', ['-H', 'Expect:']],
  ])('uploads 5 MB, %s', async (_how, options) => {
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'upload');
    const bytes = randomBytes(5_000_000);
    await writeFile(file, bytes);
    const url = `${gateway.dataUrl}/to/storage/files/upload`;
    const { stdout } = await run('curl', [
      ...['--silent', '--show-error', '--fail', '--max-time', '30', '-H', `Postern-Key: ${coder.key}`],
      ...['--upload-file', file, ...options, url],
    ]);
    expect(stdout).toBe('stored');
    const seen = storage.requests.at(-1);
    expect(seen).toMatchObject({ method: 'PUT', url: '/files/upload' });
    const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    expect(digest(seen?.body ?? new Uint8Array())).toBe(digest(bytes));
  });
});

/** The one `curl` line that a start prints. */
function curlLine(stdout: string): string {
  const lines = stdout.split('\n').filter((line) => line.trim().startsWith('curl '));
  expect(lines).toHaveLength(1);
  return lines[0] as string;
}

/** Pastes the line into a shell. */
async function paste(line: string): Promise<Record<string, unknown>> {
  const { stdout } = await run('sh', ['-c', line]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const accepted = { credentialAccepted: true, agentKeySeen: false, method: 'GET', path: '/hello' };

describe('the demo', () => {
  test('the printed line works when pasted, also after a second start', async () => {
    await using folder = await temporaryFolder();
    const options = { demo: true, dataFolder: path.join(folder.path, 'data') };
    await using first = await startGateway(options);
    await vi.waitFor(() => curlLine(first.stdout()));
    const line = curlLine(first.stdout());
    expect(await paste(line)).toMatchObject(accepted);
    expect(first.stdout()).toContain(path.join(options.dataFolder, 'admin-token'));
    const { port } = new URL(first.dataUrl);
    expect((await first.kill('SIGTERM')).code).toBe(0);
    await using second = await startGateway({ ...options, environment: { POSTERN_LISTEN: `127.0.0.1:${port}` } });
    await vi.waitFor(() => expect(curlLine(second.stdout())).toBe(line));
    expect(await paste(line)).toMatchObject(accepted);
  });

  test('npm start does all that', async () => {
    await using folder = await temporaryFolder();
    const root = fileURLToPath(new URL('..', import.meta.url));
    const outer = Object.entries(process.env).filter(([name]) => !/^(?:POSTERN_|NODE_OPTIONS$|VITEST)/.test(name));
    const child = spawn('npm', ['start'], {
      cwd: root,
      env: {
        ...Object.fromEntries(outer),
        POSTERN_DATA_DIR: path.join(folder.path, 'data'),
        POSTERN_LISTEN: '127.0.0.1:0',
        POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    try {
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      await vi.waitFor(() => curlLine(stdout), 30_000);
      expect(stdout).toMatch(/^postern ready data=http:\/\/127\.0\.0\.1:\d+ admin=http:\/\/127\.0\.0\.1:\d+$/m);
      expect(await paste(curlLine(stdout))).toMatchObject(accepted);
    } finally {
      const closed = once(child, 'close');
      // npm, its shell and the gateway.
      process.kill(-(child.pid as number), 'SIGTERM');
      await closed;
    }
  });
});

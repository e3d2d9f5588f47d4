import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, test, vi } from 'vitest';
import { startGateway } from './support/start-gateway.ts';

const run = promisify(execFile);

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

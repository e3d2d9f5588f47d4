// Starts the gateway once and stops it, so that the image holds its compiled code (see apps/gateway/src/compile-cache.js).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const READY_MS_MAX = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'postern-warm-up-'));
const program = fileURLToPath(new URL('../apps/cli/bin/postern.js', import.meta.url));
const child = spawn(process.execPath, [program, 'start'], {
  env: {
    PATH: process.env['PATH'],
    POSTERN_DATA_DIR: join(folder, 'data'),
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_CONFIG: '',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const timer = setTimeout(() => child.kill('SIGKILL'), READY_MS_MAX);
let isReady = false;
child.stdout.on('data', (text) => {
  if (isReady || !String(text).includes('postern ready')) return;
  isReady = true;
  child.kill('SIGTERM');
});
child.on('close', (code) => {
  clearTimeout(timer);
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = isReady && code === 0 ? 0 : 1;
});

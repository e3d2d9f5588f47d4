import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ANY_TOKEN, CALL_PATH, type Surroundings, type Variant } from './variant.ts';

/** Attempts, 50 ms apart. */
const ATTEMPTS_MAX = 100;

/** nginx with one worker, connections kept on both sides, its access log as shipped. Undefined when it is not on the PATH. */
export async function startNginx({ workplace, upstream }: Surroundings): Promise<Variant | undefined> {
  const command = findOnPath('nginx');
  if (command === undefined) return undefined;
  const folder = join(workplace.folder, 'nginx');
  mkdirSync(folder);
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration({ folder, port, upstreamPort: upstream.port, secret: upstream.secret }));
  const { processId } = await workplace.start({ name: 'nginx', command, arguments: ['-p', folder, '-c', file] });
  await untilListening(port);
  return { name: 'nginx', port, path: CALL_PATH, tokens: [ANY_TOKEN], processId };
}

/** Also where Debian puts it, which is not on the path of ordinary users. */
function findOnPath(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}

interface NginxParts {
  readonly folder: string;
  readonly port: number;
  readonly upstreamPort: number;
  readonly secret: string;
}

function configuration({ folder, port, upstreamPort, secret }: NginxParts): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log ${folder}/access.log;
  ${places.map((place) => `${place}_temp_path ${folder}/${place};`).join('\n  ')}
  upstream upstream { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 100000000;
    location / {
      proxy_pass http://upstream;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer ${secret}";
    }
  }
}
`;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer !== undefined) return;
    await delay(50);
  }
  throw new Error('nginx did not begin to listen');
}

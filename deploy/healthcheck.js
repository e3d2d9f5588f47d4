// Ends with 0 when the gateway on this data folder is ready, else with 1 and the reason. Plain JavaScript: it runs every few seconds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TIMEOUT_MS = 4_000;

try {
  const folder = process.env['POSTERN_DATA_DIR'] || '.postern';
  const { data, admin } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
  // A listener that asks for client certificates does not answer us; the other one says the same.
  const states = await Promise.all([admin, data].map((url) => readinessAt(url).catch((error) => error.message)));
  if (!states.includes(200)) throw new Error(`not ready: ${states.join(', ')}`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

/** @returns {Promise<number>} the status of `/readyz` */
async function readinessAt(url) {
  const { get } = await import(url.startsWith('https:') ? 'node:https' : 'node:http');
  // The certificate is for the public name, and we ask our own process.
  const options = { rejectUnauthorized: false, timeout: TIMEOUT_MS };
  return await new Promise((resolve, reject) => {
    const request = get(`${url}/readyz`, options, (response) => resolve(response.resume().statusCode));
    request.on('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    request.on('error', reject);
  });
}

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { servedOnDemand } from './served-on-demand.ts';

let server: Server | undefined;
afterEach(() => server?.close());

const answering: RequestListener = (request, response) => {
  request.setEncoding('utf8');
  let body = '';
  request.on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => response.end(`${request.url} ${body}`));
};

async function serve(load: () => Promise<RequestListener>) {
  const errors: unknown[] = [];
  server = createServer(servedOnDemand(load, { newRequestId: () => 'req_1', onError: (error) => errors.push(error) }));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ask = (path: string, body = 'x') => fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
  return { ask, errors };
}

test('what answers is loaded once, with the first request, and requests that come meanwhile wait with their bodies', async () => {
  let loads = 0;
  const { ask } = await serve(async () => {
    loads += 1;
    await delay(50);
    return answering;
  });
  expect(loads).toBe(0);
  const long = 'b'.repeat(300_000);
  const answers = await Promise.all([ask('/a'), ask('/b', long), ask('/c')]);
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(['/a x', `/b ${long}`, '/c x']);
  expect(await (await ask('/d')).text()).toBe('/d x');
  expect(loads).toBe(1);
});

test('when it cannot be loaded those that waited are told so, and the next request tries anew', async () => {
  let loads = 0;
  const { ask, errors } = await serve(async () => {
    loads += 1;
    await delay(20);
    if (loads === 1) throw new Error('secret detail');
    return answering;
  });
  const refused = await Promise.all([ask('/a'), ask('/b')]);
  for (const answer of refused) {
    expect(answer.status).toBe(500);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'internal_error', requestId: 'req_1' });
    expect(text).not.toContain('secret detail');
  }
  expect(errors).toHaveLength(1);
  expect(await (await ask('/c')).text()).toBe('/c x');
});

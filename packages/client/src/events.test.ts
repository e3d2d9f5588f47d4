import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminClient } from './admin-client.ts';
import type { ApiEvent, WatchOptions } from './events.ts';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** What a peer on a real socket sends; the control plane itself is tested with its own. */
async function watching(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  options: WatchOptions = {},
): Promise<AsyncGenerator<ApiEvent>> {
  server = createServer((request, response) => answer(response, request));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return createAdminClient({ url: `http://127.0.0.1:${port}`, token: 'x', timeoutMs: 50 }).events(options);
}

async function collect(events: AsyncGenerator<ApiEvent>): Promise<ApiEvent[]> {
  const collected: ApiEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}

const streaming = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
const EVENT =
  'id: a-1\nevent: approval.created\ndata: {"type":"approval.created","tenant":"acme","data":{"x":"ö€"}}\n\n';

describe('a watch', () => {
  test('gives events whole, however they are cut on the way, and ends with the answer', async () => {
    const bytes = Buffer.from(`retry: 2000\n\n${EVENT}: \n\nevent: reset\ndata: {"type":"reset"}\n\n${EVENT}`);
    const events = await watching((response) => {
      streaming(response).flushHeaders();
      let at = 0;
      const more = () => {
        if (at >= bytes.length) return void response.end();
        response.write(bytes.subarray(at, at + 7), () => setImmediate(more));
        at += 7;
      };
      more();
    });
    const created = { id: 'a-1', type: 'approval.created', tenant: 'acme', data: { x: 'ö€' } };
    expect(await collect(events)).toEqual([{ type: 'open', data: {} }, created, { type: 'reset', data: {} }, created]);
  });

  test('says which event was the last', async () => {
    let asked: string | undefined;
    const events = await watching(
      (response, { headers }) => {
        asked = headers['last-event-id'] as string;
        streaming(response).end();
      },
      { lastEventId: 'a-7' },
    );
    expect(await collect(events)).toEqual([{ type: 'open', data: {} }]);
    expect(asked).toBe('a-7');
  });

  test('goes on beyond the time limit of other requests, as long as there are signs of life', async () => {
    const events = await watching(
      (response) => {
        streaming(response);
        let beats = 0;
        const timer = setInterval(() => {
          response.write(': \n\n');
          beats += 1;
          if (beats < 8) return;
          clearInterval(timer);
          response.end(EVENT);
        }, 20);
      },
      { silenceMs: 2_000 },
    );
    expect((await collect(events)).map(({ type }) => type)).toEqual(['open', 'approval.created']);
  });

  test.each([
    ['silence before the answer', () => undefined],
    ['silence after the answer began', (response: ServerResponse) => streaming(response).flushHeaders()],
    [
      'a connection that breaks',
      (response: ServerResponse) => {
        streaming(response).write(EVENT);
        setImmediate(() => response.destroy());
      },
    ],
    [
      'an answer without end that is no event',
      (response: ServerResponse) => {
        streaming(response);
        const more = () => response.write('x'.repeat(65_536), more);
        more();
      },
    ],
  ])('rejects on %s', async (_what, answer) => {
    const events = await watching((response) => void answer(response), { silenceMs: 300 });
    await expect(collect(events)).rejects.toMatchObject({ name: 'ApiUnreachable' });
  });

  test('rejects with the problem of a refusal', async () => {
    const events = await watching((response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'forbidden', detail: 'no', status: 403 }));
    });
    await expect(collect(events)).rejects.toMatchObject({ name: 'ApiProblem', code: 'forbidden' });
  });

  test('ends without an error when it is given up, and lets go of the connection', async () => {
    const over = new AbortController();
    let closed: Promise<unknown> = Promise.resolve();
    const events = await watching(
      (response) => {
        closed = once(response, 'close');
        streaming(response).write(EVENT);
      },
      { signal: over.signal },
    );
    const types: string[] = [];
    for await (const { type } of events) {
      types.push(type);
      if (type === 'approval.created') over.abort();
    }
    expect(types).toEqual(['open', 'approval.created']);
    await closed;
    expect(await collect(await watching(() => undefined, { signal: over.signal }))).toEqual([]);
  });
});

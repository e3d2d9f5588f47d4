import { startRawUpstream, startUpstream } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TENANT } from '../gateway.fixture.ts';
import { startWorkerGround, WEBHOOK_SECRET, type WorkerGround } from './worker-ground.fixture.ts';

const NAMES: Record<string, readonly string[]> = {
  'loopback.test': ['127.0.0.1'],
  'private.test': ['10.1.2.3'],
  'half.test': ['93.184.216.34', '10.1.2.3'],
  'metadata.test': ['169.254.169.254'],
  'public.test': ['93.184.216.34'],
};

let ground: WorkerGround;

beforeEach(async () => {
  ground = await startWorkerGround({
    resolve: async (name) => {
      const addresses = NAMES[name];
      if (addresses === undefined) throw new Error('no such name');
      return { addresses: [...addresses], ttlSeconds: 60 };
    },
  });
});

afterEach(() => ground?.[Symbol.asyncDispose]());

/** One try at an endpoint of this URL: what the outbox holds of it then. */
async function tryAt(url: string, change: Parameters<WorkerGround['addEndpoint']>[1] = {}, timeoutMs = 15_000) {
  const { id } = await ground.add(await ground.addEndpoint(url, change));
  ground.startWorker({ timeoutMs });
  await ground.triesEnded(1);
  const { state, lastError } = await ground.message(id);
  return { state, lastError };
}
const outcomes = async () =>
  (await ground.gateway.entries({ type: 'outcome' })).map(({ result, status, code }) => ({ result, status, code }));

describe('a receiver', () => {
  test('that hangs is given up in time, and its connection let go', async () => {
    await using receiver = await startUpstream({ handler: () => new Promise(() => undefined) });
    expect(await tryAt(receiver.url, {}, 200)).toEqual({ state: 'pending', lastError: 'timeout' });
    await vi.waitFor(() => expect(receiver.openConnections).toBe(0));
    expect(await outcomes()).toEqual([{ result: 'unknown', status: undefined, code: 'timeout' }]);
  });

  test('that never finishes its head is given up in time', async () => {
    await using receiver = await startRawUpstream((socket) => void socket.write('HTTP/1.1 200 OK\r\nx-a: '));
    expect(await tryAt(receiver.url, {}, 200)).toEqual({ state: 'pending', lastError: 'timeout' });
  });

  test('that takes no connection is unreachable, and the log says that nothing was sent', async () => {
    const receiver = await startUpstream();
    await receiver.close();
    expect(await tryAt(receiver.url)).toEqual({ state: 'pending', lastError: 'unreachable' });
    expect(await outcomes()).toEqual([{ result: 'not_sent', status: undefined, code: 'unreachable' }]);
  });

  test.each([
    ['closes at once', (_write: (text: string) => void, end: () => void) => end()],
    ['answers with garbage', (write: (text: string) => void) => write('\0\x01\x02 not http at all\r\n\r\n')],
    [
      'answers with a head without end',
      (write: (text: string) => void) => write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(200_000)}`),
    ],
  ])('that %s is tried again', async (_what, speak) => {
    await using receiver = await startRawUpstream((socket) => {
      socket.once('data', () => {
        speak(
          (text) => void socket.write(text, 'latin1'),
          () => void socket.destroy(),
        );
      });
    });
    const { state, lastError } = await tryAt(receiver.url, {}, 2_000);
    expect([state, lastError]).toEqual(['pending', 'reset']);
    expect((await outcomes())[0]).toMatchObject({ result: 'unknown' });
  });

  test('that resets the connection after its 200 has taken the message', async () => {
    await using receiver = await startRawUpstream((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.resetAndDestroy());
      });
    });
    expect(await tryAt(receiver.url)).toEqual({ state: 'delivered', lastError: undefined });
  });

  test('that answers with a gigabyte has taken the message, and is not listened to', async () => {
    let written = 0;
    await using receiver = await startUpstream({
      handler: (_request, response) => {
        response.writeHead(200, { 'content-length': 1_073_741_824 });
        const chunk = Buffer.alloc(1_048_576);
        const more = () => {
          while (!response.destroyed && written < 1_024) {
            written += 1;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
        };
        more();
      },
    });
    const before = process.memoryUsage().rss;
    expect(await tryAt(receiver.url)).toEqual({ state: 'delivered', lastError: undefined });
    await vi.waitFor(() => expect(receiver.openConnections).toBe(0));
    expect(written).toBeLessThan(100);
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  });

  test('that streams events for ever has taken the message, and is not listened to', async () => {
    await using receiver = await startUpstream({
      handler: (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
      },
    });
    expect(await tryAt(receiver.url)).toEqual({ state: 'delivered', lastError: undefined });
    await vi.waitFor(() => expect(receiver.openConnections).toBe(0));
  });

  test.each([301, 302, 303, 307, 308])(
    'that redirects with %i to a private address is not followed',
    async (status) => {
      await using target = await startUpstream();
      await using receiver = await startUpstream({
        handler: (_request, response) => void response.writeHead(status, { location: `${target.url}/inside` }).end(),
      });
      expect(await tryAt(receiver.url)).toEqual({ state: 'pending', lastError: 'redirected' });
      expect(target.requests).toHaveLength(0);
    },
  );

  test('that redirects to itself is not followed either', async () => {
    await using receiver = await startUpstream({
      handler: (_request, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
    });
    expect(await tryAt(receiver.url)).toEqual({ state: 'pending', lastError: 'status_307' });
    expect(receiver.requests).toHaveLength(1);
  });

  test('that wants another protocol, or says what it thinks, leaves nothing of it behind', async () => {
    await using receiver = await startUpstream({
      handler: (request, response) => {
        const secret = `${WEBHOOK_SECRET} ${request.headers['webhook-signature']}`;
        response.writeHead(400, { 'x-echo': secret }).end(secret);
      },
    });
    expect(await tryAt(receiver.url)).toEqual({ state: 'pending', lastError: 'status_400' });
    const entries = JSON.stringify(await ground.gateway.entries());
    expect(entries).not.toContain(WEBHOOK_SECRET.slice(6));
    expect(JSON.stringify(await ground.gateway.repositories.notificationEndpoints.listByTenant(TENANT))).not.toContain(
      'v1,',
    );
  });
});

describe('the guard', () => {
  test.each([
    ['private.test', 'address_forbidden'],
    ['half.test', 'address_forbidden'],
    ['metadata.test', 'address_forbidden'],
    ['loopback.test', 'address_forbidden'],
    ['nowhere.test', 'resolve_failed'],
  ])('lets no message to https://%s/', async (host, lastError) => {
    expect(await tryAt(`https://${host}/`, { unsafeAllowAddresses: [] })).toEqual({ state: 'pending', lastError });
    expect(await ground.gateway.entries({ type: 'intent' })).toEqual([]);
  });

  test('lets a metadata address pass under no setting', async () => {
    const change = { unsafeAllowAddresses: ['0.0.0.0/0'] };
    expect(await tryAt('https://metadata.test/', change)).toMatchObject({ lastError: 'address_forbidden' });
  });

  test('lets no message in clear to a public address, even where private ones are open', async () => {
    expect(await tryAt('http://public.test/')).toEqual({ state: 'pending', lastError: 'cleartext_refused' });
  });

  test('lets no message to the gateway itself', async () => {
    const { port } = ground.gateway;
    expect(await tryAt(`http://127.0.0.1:${port}/`)).toEqual({ state: 'pending', lastError: 'address_forbidden' });
  });

  test('judges each try anew: a name that has moved inside is not called again', async () => {
    await using receiver = await startUpstream({ handler: (_request, response) => void response.writeHead(204).end() });
    const url = `http://loopback.test:${receiver.port}/`;
    const endpoint = await ground.addEndpoint(url);
    await ground.add(endpoint);
    ground.startWorker();
    await ground.triesEnded(1);
    await ground.gateway.repositories.notificationEndpoints.update(
      { tenant: TENANT, id: endpoint },
      { url, secret: 'webhook-secret', events: ['approval.created'] },
      'config',
    );
    const { id } = await ground.add(endpoint);
    await ground.triesEnded(2);
    expect(await ground.message(id)).toMatchObject({ state: 'pending', lastError: 'address_forbidden' });
    expect(receiver.requests).toHaveLength(1);
  });

  test('sends nothing that cannot be recorded', async () => {
    await using receiver = await startUpstream();
    await ground.gateway.journal.close();
    const { id } = await ground.add(await ground.addEndpoint(receiver.url));
    ground.startWorker();
    await ground.triesEnded(1);
    expect(await ground.message(id)).toMatchObject({ state: 'pending', lastError: 'audit_unavailable' });
    expect(receiver.requests).toHaveLength(0);
  });
});

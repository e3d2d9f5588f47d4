import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { decide, holdCall } from '../approvals/held-call.fixture.ts';
import { startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';
import { createEventHub } from '../events/event-hub.ts';

async function listen(plane: TestControlPlane): Promise<string> {
  if (plane.server.server.listening) return `http://127.0.0.1:${portOf(plane)}`;
  return await plane.server.listen({ host: '127.0.0.1', port: 0 });
}

function portOf({ server }: TestControlPlane): number {
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Told {
  readonly id: string | undefined;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  readonly data: any;
}

/** A watch over a connection of its own. */
async function watch(plane: TestControlPlane, headers: Record<string, string> = {}, token = plane.ownerToken) {
  const authorization = `Bearer ${token}`;
  const request = httpRequest(`${await listen(plane)}/v1/events`, {
    agent: false,
    headers: { authorization, ...headers },
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  // Given up, it ends as a broken one.
  response.on('error', () => undefined);
  const told = readEvents(response);
  return {
    status: response.statusCode,
    headers: response.headers,
    next: async () => (await told.next()).value,
    stop: () => void request.destroy(),
  };
}

async function* readEvents(response: IncomingMessage): AsyncGenerator<Told, undefined> {
  let unread = '';
  for await (const piece of response.setEncoding('utf8')) {
    const blocks = `${unread}${piece}`.split('\n\n');
    unread = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/, 2)));
      if (fields.event !== undefined) yield { id: fields.id, type: fields.event, data: JSON.parse(fields.data) };
    }
  }
  return undefined;
}

describe('the live events', () => {
  test('of a tenant are told as they come, with what is written', async () => {
    await using plane = await startTestControlPlane();
    const { status, headers, next, stop } = await watch(plane);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'postern-request-id': expect.stringMatching(/^req_/),
    });
    const { id } = await holdCall(plane, { terms: { approvers: 2 }, members: { summary: 'POST /pay' } });
    expect(await next()).toMatchObject({ type: 'admin.created', data: { data: { subject: 'agent:coder' } } });
    const bob = await plane.createAdmin('bob', 'approver');
    expect(await next()).toMatchObject({ type: 'admin.created', data: { data: { subject: 'admin:bob' } } });
    await decide(plane, id, 'approve', { token: bob });
    expect(await next()).toMatchObject({
      type: 'approval.voted',
      data: { data: { approvalId: id, status: 'pending' } },
    });
    const decidedAt = performance.now();
    await decide(plane, id, 'approve');
    expect(await next()).toEqual({
      id: expect.any(String),
      type: 'approval.decided',
      data: {
        type: 'approval.decided',
        timestamp: '2026-03-01T12:00:00.000Z',
        tenant: 'default',
        data: {
          approvalId: id,
          status: 'approved',
          agent: 'coder',
          integration: 'bank',
          action: 'pay',
          risk: { score: 0.5, labels: ['destructive'] },
          summary: 'POST /pay',
          expiresAt: '2026-03-01T12:15:00.000Z',
          decidedBy: 'bootstrap',
        },
      },
    });
    expect(performance.now() - decidedAt).toBeLessThan(2_000);
    await plane.call({ method: 'POST', url: '/v1/rules', body: { id: 'reads', effect: 'allow' } });
    expect((await next())?.type).toBe('admin.created');
    expect(await next()).toMatchObject({ type: 'policy.activated', data: { data: { actor: 'bootstrap' } } });
    stop();
  });

  test('go on after the event that was seen last', async () => {
    await using plane = await startTestControlPlane();
    const create = (name: string) => plane.call({ method: 'POST', url: '/v1/agents', body: { name } });
    const first = await watch(plane);
    await create('a');
    const seen = await first.next();
    first.stop();
    await create('b');
    const second = await watch(plane, { 'last-event-id': seen?.id ?? '' });
    expect((await second.next())?.data.data.subject).toBe('agent:b');
    second.stop();
    const third = await watch(plane, { 'last-event-id': 'from-another-life' });
    expect((await third.next())?.type).toBe('reset');
    third.stop();
  });

  test('tell an approver of approvals and grants alone, and nobody of another tenant', async () => {
    await using plane = await startTestControlPlane();
    await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
    const [bob, foreign] = [
      await plane.createAdmin('bob', 'approver'),
      await plane.createAdmin('foreign', 'admin', 'acme'),
    ];
    const ours = await watch(plane, {}, bob);
    const theirs = await watch(plane, {}, foreign);
    await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'coder' } });
    await decide(plane, (await holdCall(plane)).id, 'deny');
    await plane.call({ method: 'POST', url: '/v1/agents', tenant: 'acme', body: { name: 'theirs' } });
    expect(await ours.next()).toMatchObject({ type: 'approval.decided', data: { data: { status: 'denied' } } });
    expect(await theirs.next()).toMatchObject({ data: { tenant: 'acme', data: { subject: 'agent:theirs' } } });
    ours.stop();
    theirs.stop();
  });

  test('of a write that failed are not told', async () => {
    await using plane = await startTestControlPlane();
    const { next, stop } = await watch(plane);
    expect((await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'a' } })).status).toBe(201);
    expect((await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'a' } })).status).toBe(409);
    await plane.call({ method: 'POST', url: '/v1/agents', body: { name: 'b' } });
    expect((await next())?.data.data.subject).toBe('agent:a');
    expect((await next())?.data.data.subject).toBe('agent:b');
    stop();
  });

  test('end for whoever is no administrator any more', async () => {
    await using plane = await startTestControlPlane({ heartbeatMs: 20 });
    const bob = await plane.createAdmin('bob', 'auditor');
    const { next } = await watch(plane, {}, bob);
    await plane.call({ method: 'DELETE', url: '/v1/admins/bob' });
    const told: (string | undefined)[] = [];
    for (let event = await next(); event !== undefined; event = await next()) told.push(event.type);
    // Whether the removal itself is told depends on which of the two is first.
    expect(['', 'admin.removed']).toContain(told.join());
  });

  test('end with the server, which does not wait for them', async () => {
    const plane = await startTestControlPlane();
    const { next } = await watch(plane);
    const closing = plane[Symbol.asyncDispose]();
    expect(await next()).toBeUndefined();
    await closing;
  });

  test('are not kept for a watcher that does not read them: it is dropped', async () => {
    const events = createEventHub({ watchersMax: 2 });
    await using plane = await startTestControlPlane({ events });
    await listen(plane);
    const hasRoom = () => {
      const place = events.watch('default', undefined, { deliver: () => undefined, end: () => undefined });
      place?.stop();
      return place !== undefined;
    };
    const socket = connect(portOf(plane), '127.0.0.1');
    socket.pause();
    socket.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${plane.ownerToken}\r\n\r\n`);
    await vi.waitFor(() => expect(hasRoom()).toBe(false));
    const text = 'x'.repeat(100_000);
    // What the sockets take on their way is not known here.
    await vi.waitFor(() => {
      for (let count = 0; count < 10; count += 1) {
        events.publish({ tenant: 'default', type: 'approval.created', at: plane.clock.now, data: { text } });
      }
      expect(hasRoom()).toBe(true);
    });
    const open = () => new Promise((resolve) => plane.server.server.getConnections((_error, count) => resolve(count)));
    await vi.waitFor(async () => expect(await open()).toBe(0));
    socket.destroy();
  });

  test('are for a bounded number of watchers', async () => {
    await using plane = await startTestControlPlane({ events: createEventHub({ watchersMax: 2 }) });
    const first = await watch(plane);
    const second = await watch(plane);
    expect(second.status).toBe(503);
    first.stop();
    await vi.waitFor(async () => {
      const third = await watch(plane);
      third.stop();
      expect(third.status).toBe(200);
    });
  });

  test('need a token, and are for the roles that read something', async () => {
    await using plane = await startTestControlPlane();
    expect((await plane.call({ url: '/v1/events', token: null })).status).toBe(401);
    for (const role of ['owner', 'admin', 'approver', 'auditor', 'operator'] as const) {
      const { status, stop } = await watch(plane, {}, await plane.createAdmin(`an-${role}`, role));
      expect(status, role).toBe(200);
      stop();
    }
    expect((await plane.call({ method: 'HEAD', url: '/v1/events' })).status).toBe(405);
  });
});

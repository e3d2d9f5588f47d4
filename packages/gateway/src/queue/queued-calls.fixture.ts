import { generateAgentKey, keyDigest } from '@postern/auth';
import { agentSchema, KEY_SCOPES } from '@postern/schemas';
import type { Upstream } from '@postern/testing';
import { expect, vi } from 'vitest';
import { type Answer, type Callee, type CallOptions, call } from '../client.fixture.ts';
import { TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { startOn } from '../refused-call.fixture.ts';

export interface QueueOptions extends TestGatewayOptions {
  /** Calls are taken out of the queue from the beginning; default true. */
  readonly isWorking?: boolean;
}

/** A gateway with an integration `api` whose agent does not wait for its calls. */
export interface QueueScene extends AsyncDisposable {
  readonly gateway: TestGateway;
  /** Begins to take calls out of the queue. */
  work(): void;
  /** What has come to the upstream since the start. */
  sent(): Upstream['requests'];
  /** Sends with `Prefer: respond-async`, and with the key where there is one. */
  send(key: string | undefined, body?: string | Uint8Array, options?: CallOptions & { path?: string }): Promise<Answer>;
  /** The id that a 202 tells. */
  idOf(answer: Answer): string;
  queue(key: string, body?: string): Promise<string>;
  stateOf(id: string): Promise<Answer>;
  cancel(id: string): Promise<Answer>;
  /** The document of the call once it is done. */
  done(id: string, timeoutMs?: number): Promise<QueuedDocument>;
  /** Another agent of the tenant. */
  newAgent(name: string): Promise<Callee>;
  /** Adds a rule. */
  addRule(id: string, rule: object): Promise<void>;
}

export interface QueuedDocument {
  readonly id: string;
  readonly status: string;
  readonly requestId: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  readonly result?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly problem?: any;
}

export async function startQueue(
  upstream: Upstream,
  options: QueueOptions = {},
  integration: object = {},
): Promise<QueueScene> {
  const { isWorking = true, ...rest } = options;
  const gateway = await startOn(upstream.port, rest, integration);
  const before = upstream.requests.length;
  upstream.answerWith((_request, response) => void response.writeHead(201, { 'x-made': 'yes' }).end('made'));
  const work = () => gateway.gateway.queue.start(gateway.gateway);
  if (isWorking) work();
  const send: QueueScene['send'] = (key, body = 'a', { path = '/to/api/things', headers, ...more } = {}) => {
    const keyed = key === undefined ? {} : { 'idempotency-key': key };
    const own = { 'content-type': 'text/plain', prefer: 'respond-async', ...keyed };
    return call(gateway, path, { body, ...more, headers: { ...own, ...headers } });
  };
  const idOf = (answer: Answer): string => {
    expect(answer.status, answer.text).toBe(202);
    const { requestId, call: queued } = answer.json();
    expect(requestId).toBe(answer.headers['postern-request-id']);
    expect(queued.statusUrl).toBe(`${gateway.url}/v1/calls/${queued.id}`);
    expect(answer.headers['location']).toBe(queued.statusUrl);
    return queued.id;
  };
  const stateOf = (id: string) => call(gateway, `/v1/calls/${id}`);
  return {
    gateway,
    work,
    sent: () => upstream.requests.slice(before),
    send,
    idOf,
    queue: async (key, body) => idOf(await send(key, body)),
    stateOf,
    cancel: (id) => call(gateway, `/v1/calls/${id}`, { method: 'DELETE' }),
    done: (id, timeoutMs = 10_000) =>
      vi.waitFor(
        async () => {
          const document = (await stateOf(id)).json();
          expect(document.status).toBe('done');
          return document;
        },
        { timeout: timeoutMs, interval: 10 },
      ),
    newAgent: (name) => newAgent(gateway, name),
    addRule: (id, rule) =>
      gateway.change((context) =>
        gateway.repositories.policyRules.createPolicyRule(
          TENANT,
          { effect: 'deny', ...rule, id } as Parameters<typeof gateway.repositories.policyRules.createPolicyRule>[1],
          'api',
          context,
        ),
      ),
    [Symbol.asyncDispose]: async () => {
      await gateway.gateway.queue.stop(5_000);
      await gateway.close();
    },
  };
}

async function newAgent(gateway: TestGateway, name: string): Promise<Callee> {
  const { agents } = gateway.repositories;
  const { id: agentId } = await agents.create(TENANT, agentSchema.parse({ name, trust: 'medium' }), 'api');
  const { key, publicId } = generateAgentKey();
  const { digest, keyId } = keyDigest(key, gateway.hmacKey);
  await agents.createKey({
    tenant: TENANT,
    id: publicId,
    agentId,
    digest: Buffer.from(digest).toString('base64'),
    digestKeyId: keyId,
    scopes: KEY_SCOPES,
    origin: 'api',
  });
  await gateway.change(async () => undefined);
  return { port: gateway.port, key };
}

import type { StubApi } from '@postern/testing';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { auditEvents, eventualAuditEvents } from '../support/audit-log.ts';
import { call } from '../support/http-client.ts';
import { ALLOW_ALL, configOf, integration, newAgent } from '../support/scenario.ts';
import { type RunningGateway, startGateway } from '../support/start-gateway.ts';

/** `limits.requestBytes` of the integration: above 1 MiB, so that a body that just fits waits in a file. */
export const REQUEST_BYTES_MAX = 2_000_000;
/** Under the integration's base URL: denied. */
const MARKER = 'postern-marker';
/** Every call is exactly one of these in the audit log. */
const CALLS = new Set<string>(['intent', 'denied', 'violation', 'ssrf.denied']);

export interface ClientGatewayOptions<Stub extends StubApi> {
  /** The integration's name. */
  readonly name: string;
  readonly stub: () => Promise<Stub>;
  /** What follows the stub's address in the integration's base URL; default nothing. */
  readonly basePath?: string;
  /** Of the integration; it may name the secret `upstream`. */
  readonly credential: object;
  /** The value of that secret. */
  readonly secret: string;
  /** Patterns of complete paths that policy denies. */
  readonly denied: readonly string[];
  /** Further members of the integration. */
  readonly more?: object;
}

export interface Attempts {
  readonly atGateway: number;
  readonly atStub: number;
}

/** To be used within tests only: before them nothing runs. */
export interface ClientGateway<Stub extends StubApi = StubApi> {
  readonly gateway: RunningGateway;
  readonly stub: Stub;
  /** The agent's. */
  readonly key: string;
  /** `{gateway}/to/{integration}`. */
  readonly url: string;
  /** `http://` and the integration's own address (`listen`). */
  ownUrl(): Promise<string>;
  /** How many requests the gateway and the upstream saw while `run` ran, by the gateway's audit log and the stub's record. */
  attemptsOf(run: () => Promise<unknown>): Promise<Attempts>;
}

/**
 * For the tests of one file: the whole program before one stub, with one integration and one agent that may call all of it but what
 * is denied. After each test the stub must have seen the right credential alone.
 */
export function clientGateway<Stub extends StubApi>(options: ClientGatewayOptions<Stub>): ClientGateway<Stub> {
  const agent = newAgent('coder');
  let stub: Stub;
  let gateway: RunningGateway;

  beforeAll(async () => {
    stub = await options.stub();
    gateway = await startGateway({ config: configFor(options, stub, agent) });
  });
  afterAll(async () => {
    await gateway?.close();
    await stub?.close();
  });
  afterEach(() => expect(stub.faults).toEqual([]));

  /** A denied call of our own: its place in the log divides what came before from what comes after. */
  const marker = async () => {
    const headers = { 'postern-key': agent.key };
    const answer = await call(gateway.dataUrl, `/to/${options.name}/${MARKER}`, { headers });
    expect(answer.problem().code).toBe('denied');
    const [entry] = await eventualAuditEvents(gateway, { requestId: answer.problem().requestId });
    return entry?.seq ?? 0;
  };

  return {
    get gateway() {
      return gateway;
    },
    get stub() {
      return stub;
    },
    get url() {
      return `${gateway.dataUrl}/to/${options.name}`;
    },
    key: agent.key,
    ownUrl: async () => {
      const answer = await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': agent.key } });
      return `http://${(answer.json() as { items: { listen: string }[] }).items[0]?.listen}`;
    },
    attemptsOf: async (run) => {
      const [from, before] = [await marker(), stub.requests.length];
      await run();
      const to = await marker();
      const calls = (await auditEvents(gateway)).filter(({ seq, type }) => seq > from && seq < to && CALLS.has(type));
      return { atGateway: calls.length, atStub: stub.requests.length - before };
    },
  };
}

function configFor(
  { name, basePath = '', credential, secret, denied, more }: ClientGatewayOptions<StubApi>,
  stub: StubApi,
  agent: ReturnType<typeof newAgent>,
): object {
  const limits = { requestBytes: REQUEST_BYTES_MAX };
  const paths = [...denied, `${basePath}/${MARKER}`];
  return configOf([agent], [integration(name, `${stub.url}${basePath}`, { limits, credential, ...more })], {
    rules: [ALLOW_ALL, { id: 'closed', effect: 'deny', hard: true, paths }],
    secrets: { upstream: { value: secret } },
  });
}

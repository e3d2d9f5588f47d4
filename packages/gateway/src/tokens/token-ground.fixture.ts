import type { ServerResponse } from 'node:http';
import type { IntegrationInput } from '@postern/schemas';
import { type RecordedRequest, startUpstream, type Upstream } from '@postern/testing';
import { type Answer, call } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { CredentialState } from './credential-state.ts';

export const CLIENT = { type: 'oauth2_client_credentials', secret: 'client-secret' };
export const REFRESH = { type: 'oauth2_refresh', secret: 'refresh-token', auth: 'body' };

export type Members = (request: RecordedRequest) => object | Promise<object>;

/**
 * A gateway with one integration `api` whose credential mints tokens, an upstream that tells which token it saw, and a token
 * endpoint that gives `access-token-1`, `-2`, … for an hour. The clocks stand still until `pass`.
 */
export interface TokenGround extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly endpoint: Upstream;
  readonly gateway: TestGateway;
  readonly time: { wall: number; clock: number };
  /** Begins the gateway; `more` are members of its integration. */
  start(credential?: object, options?: TestGatewayOptions, more?: object): Promise<void>;
  integration(credential: object, more?: object): IntegrationInput;
  /** Lays members over the answers of the token endpoint. */
  answerTokens(members: Members): void;
  /** Requests of this test to the token endpoint. */
  asked(): readonly RecordedRequest[];
  /** Both clocks go on. */
  pass(ms: number): void;
  get(): Promise<Answer>;
  /** The token that the upstream saw, such as `token 1`. */
  sent(): Promise<string>;
  state(): CredentialState | undefined;
  metrics(): Promise<string>;
  /** Lays members over those of the integration's parts. */
  changeIntegration(parts: { credential?: object; network?: object }): Promise<void>;
  /** Stops the gateway and sets everything back. */
  reset(): Promise<void>;
}

export async function startTokenGround(): Promise<TokenGround> {
  const upstream = await startUpstream();
  const endpoint = await startUpstream();
  const time = { wall: 0, clock: 0 };
  const state: { gateway?: TestGateway; issued: number; askedBefore: number } = { issued: 0, askedBefore: 0 };
  const running = (): TestGateway => {
    if (state.gateway === undefined) throw new Error('the gateway was not started');
    return state.gateway;
  };

  const integration = (credential: object, more: object = {}): IntegrationInput =>
    ({
      name: 'api',
      baseUrl: `http://upstream.test:${upstream.port}`,
      network: LOOPBACK,
      credential: { tokenUrl: `http://localhost:${endpoint.port}/token`, clientId: 'postern', ...credential },
      ...more,
    }) as IntegrationInput;

  const answerTokens = (members: Members) =>
    endpoint.answerWith(async (request, response) => {
      state.issued += 1;
      const token = `access-token-${state.issued}`;
      const given = await members(request);
      sendJson(response, 200, { access_token: token, token_type: 'Bearer', expires_in: 3_600, ...given });
    });

  async function reset(): Promise<void> {
    await state.gateway?.close();
    Object.assign(time, { wall: Date.UTC(2026, 0, 1), clock: 1_000_000 });
    Object.assign(state, { gateway: undefined, issued: 0, askedBefore: endpoint.requests.length });
    answerTokens(() => ({}));
    upstream.answerWith((request, response) => void response.end(tokenNumber(request)));
  }

  const get = () => call(running(), '/to/api/x');
  const close = async () => {
    await state.gateway?.close();
    await upstream.close();
    await endpoint.close();
  };
  await reset();
  return {
    upstream,
    endpoint,
    time,
    get gateway() {
      return running();
    },
    async start(credential = CLIENT, options = {}, more = {}) {
      state.gateway = await startTestGateway({
        integrations: [integration(credential, more)],
        secrets: { 'client-secret': 'secret-of-the-client', 'refresh-token': 'refresh-token-0' },
        now: () => time.wall,
        tokenClock: () => time.clock,
        ...options,
      });
    },
    integration,
    answerTokens,
    asked: () => endpoint.requests.slice(state.askedBefore),
    pass(ms) {
      time.wall += ms;
      time.clock += ms;
    },
    get,
    sent: async () => (await get()).text,
    state: () => running().gateway.tokens.stateOf(TENANT, 'api'),
    metrics: () => (running().gateway.metrics as GatewayMetrics).text(),
    changeIntegration: (parts) => changeIntegration(running(), parts),
    reset,
    [Symbol.asyncDispose]: close,
  };
}

/** An answer that held the token itself would be scrubbed of it. */
export function tokenNumber({ headers }: RecordedRequest): string {
  const number = /^Bearer access-token-(\d+)$/.exec(headers['authorization'] ?? '')?.[1];
  return number === undefined ? 'none' : `token ${number}`;
}

export function sendJson(response: ServerResponse, status: number, document: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(document));
}

export function formOf(request: RecordedRequest | undefined): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(Buffer.from(request?.body ?? []).toString()));
}

async function changeIntegration(
  gateway: TestGateway,
  { credential, network }: { credential?: object; network?: object },
): Promise<void> {
  const { integrations } = gateway.repositories;
  await gateway.change(async (context) => {
    const found = await integrations.getByName(TENANT, 'api', context);
    if (found === undefined) throw new Error('no integration');
    const { spec } = found;
    const changed = {
      ...spec,
      credential: { ...spec.credential, ...credential },
      network: { ...spec.network, ...network },
    } as typeof spec;
    await integrations.update(TENANT, found.id, changed, {}, context);
  });
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

export interface OidcServer extends AsyncDisposable {
  readonly tokenUrl: string;
  /** Token requests since the start, by grant type. */
  readonly tokenRequests: readonly string[];
  /** Whether a token is one of the provider's and valid, of whatever kind. */
  isValid(accessToken: string): Promise<boolean>;
  /** A refresh token as a person's consent would have made it. */
  issueRefreshToken(clientId: string): Promise<string>;
  close(): Promise<void>;
}

export const OIDC_CLIENTS = {
  basic: { id: 'basic-client', secret: 'secret of the basic client: +/%&' },
  body: { id: 'body-client', secret: 'secret-of-the-body-client' },
  refresh: { id: 'refresh-client', secret: 'secret-of-the-refresh-client' },
} as const;

/** A real OpenID provider whose refresh tokens rotate, and whose grants end when one is used twice. */
export async function startOidcServer(): Promise<OidcServer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = quietly(() => new Provider(issuer, configuration()));
  const tokenRequests: string[] = [];
  const handle = provider.callback();
  server.on('request', (request: IncomingMessage, response) => {
    if (request.url === '/token') noteGrantType(request, tokenRequests);
    handle(request, response);
  });
  return {
    tokenUrl: `${issuer}/token`,
    tokenRequests,
    async isValid(accessToken) {
      const found =
        (await provider.ClientCredentials.find(accessToken)) ?? (await provider.AccessToken.find(accessToken));
      return found !== undefined && !found.isExpired;
    },
    issueRefreshToken: (clientId) => issueRefreshToken(provider, clientId),
    close: () => close(server),
    [Symbol.asyncDispose]: () => close(server),
  };
}

function configuration() {
  const client = (name: keyof typeof OIDC_CLIENTS, method: 'client_secret_basic' | 'client_secret_post') => ({
    client_id: OIDC_CLIENTS[name].id,
    client_secret: OIDC_CLIENTS[name].secret,
    token_endpoint_auth_method: method,
    redirect_uris: name === 'refresh' ? ['https://app.example.com/back'] : [],
    response_types: name === 'refresh' ? (['code'] as const) : [],
    grant_types: name === 'refresh' ? ['authorization_code', 'refresh_token'] : ['client_credentials'],
    scope: name === 'refresh' ? 'openid offline_access' : 'read write',
  });
  return {
    clients: [
      client('basic', 'client_secret_basic'),
      client('body', 'client_secret_post'),
      client('refresh', 'client_secret_basic'),
    ],
    scopes: ['openid', 'offline_access', 'read', 'write'],
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    rotateRefreshToken: true,
    ttl: { AccessToken: 3_600, ClientCredentials: 600, Grant: 3_600, IdToken: 3_600, RefreshToken: 3_600 },
    findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    cookies: { keys: ['only-for-a-test'] },
  };
}

async function issueRefreshToken(provider: Provider, clientId: string): Promise<string> {
  const client = await provider.Client.find(clientId);
  if (client === undefined) throw new Error(`no client ${clientId}`);
  const grant = new provider.Grant({ accountId: 'alice', clientId });
  grant.addOIDCScope('openid offline_access');
  const members = {
    accountId: 'alice',
    client,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: 'openid offline_access',
    expiresWithSession: false,
  };
  return new provider.RefreshToken(members).save();
}

function noteGrantType(request: IncomingMessage, tokenRequests: string[]): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    tokenRequests.push(new URLSearchParams(Buffer.concat(chunks).toString()).get('grant_type') ?? '');
  });
}

/** The provider warns of its development keys, which a test may have. */
function quietly<T>(make: () => T): T {
  const { warn, info } = console;
  console.warn = () => undefined;
  console.info = () => undefined;
  try {
    return make();
  } finally {
    Object.assign(console, { warn, info });
  }
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}

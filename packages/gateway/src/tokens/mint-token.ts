import type { MintingCredential, TokenGrant, TokenSecrets } from '@postern/credentials';
import { Rejection } from '@postern/schemas';
import { type CachedSecretReference, type SecretCache, VaultError } from '@postern/vault';
import { cachedSecret, type SecretVersion } from '../directory/secret-version.ts';
import { askTokenEndpoint, type TokenPath } from './ask-token-endpoint.ts';
import { type MintedToken, usableMs } from './held-token.ts';
import type { NodeTurns } from './node-turns.ts';
import type { SecretRotation } from './secret-rotation.ts';
import { TokenFailure } from './token-failure.ts';
import type { TokenDemand } from './token-keeper.ts';

export interface MintOptions {
  readonly path: TokenPath;
  readonly secrets: SecretCache;
  readonly rotation: SecretRotation;
  /** undefined: no other node uses the secrets. */
  readonly nodeTurns?: NodeTurns | undefined;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
}

/** Which version of the secret is used: the newest of its line, set by the mint. */
export interface SecretInUse {
  secret: SecretVersion;
}

/**
 * Buys one token. A refresh token that came with it is stored before the token is handed out; as long as it cannot be stored, the endpoint is
 * not asked again: the old one is worthless by now.
 *
 * @throws TokenFailure, Rejection `audit_unavailable`.
 */
export type Mint = (demand: TokenDemand, inUse: SecretInUse) => Promise<MintedToken>;

export function createMint(options: MintOptions): Mint {
  const { rotation, nodeTurns } = options;

  return (demand, inUse) => {
    if (!demand.credential.source.rotates) return ask(demand, inUse);
    const mintInTurn = () => takeTurn(demand, inUse);
    return rotation.inTurn(inUse.secret, () =>
      nodeTurns === undefined ? mintInTurn() : nodeTurns.inTurn(inUse.secret, mintInTurn),
    );
  };

  async function takeTurn(demand: TokenDemand, inUse: SecretInUse): Promise<MintedToken> {
    const waiting = await rotation.settleWaiting(inUse.secret);
    inUse.secret = rotation.newest(inUse.secret);
    const isOwn = waiting?.integration === demand.integration;
    if (isOwn && !isOver(waiting.minted)) return waiting.minted;
    if (nodeTurns !== undefined) {
      const standing = await nodeTurns.newest(inUse.secret);
      rotation.learn(inUse.secret, standing);
      inUse.secret = standing;
    }
    return ask(demand, inUse);
  }

  function isOver({ lifetimeMs, askedClock }: MintedToken): boolean {
    return options.clock() - askedClock >= usableMs(lifetimeMs);
  }

  async function ask(demand: TokenDemand, inUse: SecretInUse): Promise<MintedToken> {
    const { integration, credential } = demand;
    const { source } = credential;
    const { tokenEndpoint: endpoint } = integration;
    if (endpoint === undefined) throw new TypeError('the integration has no token endpoint');
    const secrets = await openSecrets(options.secrets, cachedSecret(inUse.secret), demand.clientSecret);
    const askedClock = options.clock();
    const request = await usable(() => source.tokenRequest(secrets, options.path.now()));
    const { readAnswer } = source;
    const result = await askTokenEndpoint(options.path, { integration, endpoint, request, readAnswer });
    if (result.kind === 'refusal') throw new TokenFailure(result.code, result);
    const minted = { applied: credential.applyToken(result.accessToken), lifetimeMs: result.lifetimeMs, askedClock };
    const value = rotatedSecret(credential, result, secrets.secret);
    if (value === undefined) return minted;
    await rotation.store({ from: inUse.secret, value, minted, integration });
    inUse.secret = rotation.newest(inUse.secret);
    return minted;
  }
}

/** The new secret of an answer that has one. */
function rotatedSecret(credential: MintingCredential, grant: TokenGrant, former: string): string | undefined {
  const { refreshToken } = grant;
  if (refreshToken === undefined || refreshToken === former) return undefined;
  try {
    credential.source.checkSecret(refreshToken);
  } catch (cause) {
    throw new TokenFailure('answer_invalid', { cause });
  }
  return refreshToken;
}

async function openSecrets(
  cache: SecretCache,
  secret: CachedSecretReference,
  clientSecret: CachedSecretReference | undefined,
): Promise<TokenSecrets> {
  const [opened, openedClient] = await Promise.all([
    reveal(cache, secret),
    clientSecret && reveal(cache, clientSecret),
  ]);
  return { secret: opened, clientSecret: openedClient };
}

/** A secret may be dropped from the cache between its opening and its reading; then it is opened once more. */
async function reveal(cache: SecretCache, reference: CachedSecretReference, isAgain = false): Promise<string> {
  try {
    return (await cache.get(reference)).reveal();
  } catch (cause) {
    const isDropped = cause instanceof VaultError && cause.code === 'secret_destroyed';
    if (isDropped && !isAgain) return reveal(cache, reference, true);
    throw new TokenFailure('secret_unavailable', { cause });
  }
}

/** What a credential says of a secret that it cannot use stays true until the secret changes. */
async function usable<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (!(cause instanceof Rejection)) throw cause;
    throw new TokenFailure('secret_unavailable', { isPermanent: true, detail: cause.message });
  }
}

import { isAgentKey, keyDigest, verifyKeyDigest } from '@postern/auth';
import type { AdminRecord, TenantRecord } from '@postern/db/ports';
import { NAME_PATTERN, Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { type Actor, BOOTSTRAP_NAME } from './actor.ts';
import type { AdminDependencies } from './dependencies.ts';
import { createFailedLogins } from './failed-logins.ts';

/** How long a token that was accepted from an address is spared by other people's failures there. */
const ACCEPTED_FOR_MS = 600_000;
const ACCEPTED_MAX = 1_000;

interface Identity extends Omit<Actor, 'tenant'> {
  readonly homeTenant?: string;
}

export type Authenticate = (request: FastifyRequest) => Promise<Actor>;

/**
 * Who sent a request: the bootstrap owner or an administrator by token. Rejects with `unauthenticated`, `rate_limited` after ten
 * failures a minute from one address, `not_found` for a tenant that is not there or not the token's, or `forbidden` for one that is
 * disabled, but not to an owner of the whole instance.
 */
export function createAuthenticate(dependencies: AdminDependencies): Authenticate {
  const { now } = dependencies;
  const failedLogins = createFailedLogins(now);
  // Agents may share the machine's address with an administrator; without this, they could lock the administrator out.
  const acceptedUntil = new Map<string, number>();

  async function identify(request: FastifyRequest): Promise<Identity> {
    const token = bearerToken(request.headers.authorization);
    const digest = digestText(token, dependencies);
    const acceptedKey = `${request.ip} ${digest}`;
    const waitMs = failedLogins.waitMs(request.ip);
    if (waitMs > 0 && (acceptedUntil.get(acceptedKey) ?? 0) <= now()) throw tooManyFailures(waitMs);
    const identity = await findIdentity(token, dependencies);
    if (identity === undefined) {
      acceptedUntil.delete(acceptedKey);
      failedLogins.record(request.ip);
      throw new Rejection('unauthenticated', refusalOf(token));
    }
    acceptedUntil.delete(acceptedKey);
    const oldest = acceptedUntil.keys().next();
    if (acceptedUntil.size >= ACCEPTED_MAX && !oldest.done) acceptedUntil.delete(oldest.value);
    acceptedUntil.set(acceptedKey, now() + ACCEPTED_FOR_MS);
    return identity;
  }

  return async (request) => {
    const { homeTenant, ...identity } = await identify(request);
    const tenant = tenantOf(request, homeTenant);
    const isForeign = homeTenant !== undefined && homeTenant !== tenant;
    if (isForeign) await recordForeignTenant({ ...identity, tenant: homeTenant }, tenant, request.id, dependencies);
    const record = isForeign ? undefined : await findTenant(tenant, dependencies);
    if (record === undefined) throw new Rejection('not_found', 'There is no such tenant.');
    if (record.disabledAt !== undefined && !identity.isInstanceOwner) {
      throw new Rejection('forbidden', 'The tenant is disabled.');
    }
    return { ...identity, tenant };
  };
}

function bearerToken(header: string | undefined): string {
  const token = /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];
  if (token !== undefined) return token;
  throw new Rejection('unauthenticated', 'The control plane needs an admin token: "Authorization: Bearer {token}".');
}

function digestText(token: string, { adminTokenHmacKeys }: AdminDependencies): string {
  return Buffer.from(keyDigest(token, adminTokenHmacKeys[0]).digest).toString('base64');
}

async function findIdentity(token: string, dependencies: AdminDependencies): Promise<Identity | undefined> {
  // An agent key is no admin token, whatever is stored.
  if (isAgentKey(token)) return undefined;
  const { adminTokenHmacKeys, bootstrapToken, now, repositories } = dependencies;
  if (verifyKeyDigest(token, bootstrapToken, adminTokenHmacKeys)) {
    return { name: BOOTSTRAP_NAME, role: 'owner', isInstanceOwner: true };
  }
  for (const hmacKey of adminTokenHmacKeys) {
    const digest = keyDigest(token, hmacKey);
    const admin = await repositories.admins.findByTokenDigest(Buffer.from(digest.digest).toString('base64'));
    if (admin === undefined || admin.tokenKeyId !== hmacKey.keyId) continue;
    return isInForce(admin, now()) ? identityOf(admin) : undefined;
  }
  return undefined;
}

/** Whether whoever was admitted as `actor` would still be. */
export async function isStillAdmitted(
  { repositories, now }: Pick<AdminDependencies, 'repositories' | 'now'>,
  { name, role, tenant, isInstanceOwner }: Actor,
): Promise<boolean> {
  if (name === BOOTSTRAP_NAME) return true;
  const admin = await repositories.admins.getByName(name);
  if (admin === undefined || admin.role !== role || !isInForce(admin, now())) return false;
  if (isInstanceOwner) return true;
  const record = await repositories.tenants.getByName(tenant);
  return record !== undefined && record.disabledAt === undefined;
}

function isInForce(admin: AdminRecord, now: number): boolean {
  return admin.revokedAt === undefined && (admin.expiresAt === undefined || admin.expiresAt > now);
}

function identityOf({ name, role, tenant }: AdminRecord): Identity {
  const isInstanceOwner = role === 'owner' && tenant === undefined;
  return { name, role, isInstanceOwner, ...(tenant === undefined ? {} : { homeTenant: tenant }) };
}

function refusalOf(token: string): string {
  return isAgentKey(token)
    ? 'Agent keys are not accepted on the control plane; it needs an admin token.'
    : 'The admin token is not valid.';
}

function tooManyFailures(waitMs: number): Rejection {
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  return new Rejection('rate_limited', 'Too many failed logins from this address.', { details: { retryAfterSeconds } });
}

/** `default` unless named; a token of one tenant that names none means its own. */
function tenantOf(request: FastifyRequest, homeTenant: string | undefined): string {
  const named = request.headers['postern-tenant'];
  return typeof named === 'string' ? named : (homeTenant ?? 'default');
}

async function findTenant(name: string, { repositories }: AdminDependencies): Promise<TenantRecord | undefined> {
  return NAME_PATTERN.test(name) ? await repositories.tenants.getByName(name) : undefined;
}

async function recordForeignTenant(
  actor: Actor,
  named: string,
  requestId: string,
  { repositories, runInTransaction, now }: AdminDependencies,
): Promise<void> {
  const subject = `tenant:${named.slice(0, 64)}`;
  const draft = {
    at: now(),
    tenant: actor.tenant,
    type: 'access.refused',
    requestId,
    actor: actor.name,
    subject,
  } as const;
  await runInTransaction((context) => repositories.audit.append(draft, context));
}

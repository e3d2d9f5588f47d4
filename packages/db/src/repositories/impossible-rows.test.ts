import { describe, expect, test } from 'vitest';
import type { DbError } from '../ports/db-error.ts';
import { toAccessRequest } from './admin-access-requests.ts';
import { readIdentities } from './admin-identity-rows.ts';
import { toSignupPolicy } from './admin-signup-policy.ts';
import { toCertificate } from './agent-certificates.ts';
import { toDecision } from './audit-decisions.ts';
import { toSalt } from './audit-salts.ts';
import { toAcknowledgement } from './bundle-acknowledgements.ts';
import { toBundle } from './bundles.ts';
import { toCommand } from './command-rows.ts';
import { toVerificationDefaults } from './crypto-verification.ts';
import { toCursor, toGap, toStoredRecord } from './edge-record-rows.ts';
import { toEnrollmentToken } from './enrollment-tokens.ts';
import { toManifestKey } from './manifest-key-rows.ts';
import { toSession } from './sessions.ts';
import { toInvalidation } from './template-invalidations.ts';

/** The constraints of the tables are the first wall; this is what stands behind it when a row was written past them. */
interface Reader {
  readonly read: (row: never) => unknown;
  readonly possible: object;
  /** Each change makes the row impossible; the message names the columns. */
  readonly impossible: readonly (readonly [change: object, column: string])[];
}

const AT = { created_at: 1, updated_at: 2 };
const STREAM = { tenant: 'acme', edge: 'edge-1', class: 'record', epoch: 'first' };
const COMMAND = {
  ...{ tenant: 'acme', id: 'c1', edge: 'edge-1', kind: 'reload', payload: '{}', priority: 3, created_by: 'root' },
  ...{ created_at: 1, expires_at: 10, state: 'queued', attempts: 0 },
  ...{ lease_until: null, received_at: null, progress: null, finished_at: null, result: null },
};
const SENT = { ...COMMAND, state: 'sent', attempts: 1, lease_until: 5 };

const READERS: Readonly<Record<string, Reader>> = {
  'an access request': {
    read: toAccessRequest,
    possible: {
      ...{ tenant: 'acme', id: 'r1', identity_id: 'i1', role: 'admin', reason: null, status: 'pending', ...AT },
      ...{ decided_by: null, decided_at: null, decision_reason: null },
    },
    impossible: [
      [{ status: 'lost' }, 'admin_access_requests.status'],
      [{ role: 'boss' }, 'admin_access_requests.role'],
      [{ decided_by: 'root' }, 'admin_access_requests.decided_by'],
      [{ decided_at: 1 }, 'admin_access_requests.decided_at'],
      [{ status: 'approved', decided_at: 1 }, 'admin_access_requests.decided_by'],
      [{ status: 'approved', decided_by: 'root' }, 'admin_access_requests.decided_at'],
      [{ status: 'denied', decided_by: 'root', decided_at: 1 }, 'admin_access_requests.decision_reason'],
    ],
  },
  'an identity': {
    read: (row: never) => readIdentities([row]),
    possible: {
      ...{
        id: 'i1',
        issuer: 'https://i.example',
        subject: 's',
        email: 'a@b.example',
        is_email_verified: 1,
        name: null,
      },
      ...{ status: 'active', version: 1, ...AT, binding_tenant: 'acme', binding_role: 'admin', binding_groups: '[]' },
    },
    impossible: [
      [{ status: 'gone' }, 'admin_identities.status'],
      [{ binding_role: null }, 'admin_role_bindings.role'],
      [{ binding_role: 'boss' }, 'admin_role_bindings.role'],
      [{ binding_tenant: '*' }, 'admin_role_bindings.role'],
      [{ binding_groups: '{}' }, 'admin_role_bindings.groups'],
    ],
  },
  'a sign-up policy': {
    read: toSignupPolicy,
    possible: { id: 1, mode: 'blocked', allowed_domains: '[]', version: 1, updated_by: 'root', updated_at: 1 },
    impossible: [
      [{ mode: 'open' }, 'admin_signup_policy.mode'],
      [{ mode: 'allowed_domains' }, 'admin_signup_policy.allowed_domains'],
      [{ allowed_domains: '["example.org"]' }, 'admin_signup_policy.allowed_domains'],
      [{ allowed_domains: '[7]' }, 'admin_signup_policy.allowed_domains'],
    ],
  },
  'a certificate': {
    read: toCertificate,
    possible: {
      ...{
        tenant: 'acme',
        serial: '1',
        agent_id: 'a1',
        fingerprint: 'f',
        san_uri: 'x://y',
        not_before: 1,
        not_after: 2,
      },
      ...{ created_at: 1, revoked_at: null, revoked_by: null, revocation_reason: null },
    },
    impossible: [
      [{ revoked_by: 'root' }, 'agent_certificates.revoked_by'],
      [{ revocation_reason: 'lost' }, 'agent_certificates.revocation_reason'],
      [{ revoked_at: 1 }, 'agent_certificates.revoked_by'],
    ],
  },
  'an enrolment token': {
    read: (row: never) => toEnrollmentToken(row, 1),
    possible: {
      ...{ tenant: 'acme', id: 't1', agent_id: 'a1', token_hash: 'h', issued_by: 'root', issued_at: 1, expires_at: 9 },
      ...{ consumed_at: 1, voided_at: null },
    },
    impossible: [[{ voided_at: 1 }, 'enrollment_tokens.voided_at']],
  },
  'a session': {
    read: (row: never) => toSession(row, 1),
    possible: {
      ...{ tenant: 'acme', id: 's1', agent_id: 'a1', token_hash: 'h', certificate_fingerprint: 'f' },
      ...{ dpop_thumbprint: null, scopes: '["call"]', created_at: 1, expires_at: 9, revoked_at: null },
    },
    impossible: [
      [{ scopes: '["root"]' }, 'sessions.scopes'],
      [{ scopes: 'no JSON' }, 'sessions.scopes'],
    ],
  },
  'a manifest key': {
    read: toManifestKey,
    possible: {
      ...{ tenant: 'acme', keyset: 'k', kid: '1', algorithm: 'EdDSA', public_jwk: '{"kty":"OKP","x":"y"}' },
      ...{ kek_id: 'k1', envelope: '{}', status: 'active', created_at: 1, retired_at: null, revoked_at: null },
    },
    impossible: [
      [{ status: 'new' }, 'manifest_keys.status'],
      [{ algorithm: 'none' }, 'manifest_keys.algorithm'],
      [{ public_jwk: '{"kty":"OKP","d":"private"}' }, 'manifest_keys.public_jwk'],
      [{ envelope: null }, 'manifest_keys.envelope'],
      [{ kek_id: null }, 'manifest_keys.kek_id'],
      [{ retired_at: 1 }, 'manifest_keys.retired_at'],
      [{ revoked_at: 1 }, 'manifest_keys.revoked_at'],
      [{ status: 'retired', retired_at: 1 }, 'manifest_keys.kek_id'],
      [{ status: 'retired', kek_id: null, envelope: null }, 'manifest_keys.retired_at'],
      [{ status: 'retired', kek_id: null, envelope: null, retired_at: 1, revoked_at: 1 }, 'manifest_keys.revoked_at'],
      [{ status: 'revoked', kek_id: null, envelope: null, retired_at: 1 }, 'manifest_keys.revoked_at'],
    ],
  },
  'crypto verification defaults': {
    read: toVerificationDefaults,
    possible: {
      ...{ tenant: 'acme', require_temporal_validity: 1, max_clock_skew_seconds: 300, version: 1, updated_at: 1 },
    },
    impossible: [
      [{ max_clock_skew_seconds: 301 }, 'crypto_verification_defaults.max_clock_skew_seconds'],
      [{ max_clock_skew_seconds: -1 }, 'crypto_verification_defaults.max_clock_skew_seconds'],
      [{ require_temporal_validity: 2 }, 'crypto_verification_defaults.require_temporal_validity'],
    ],
  },
  'an audit salt': {
    read: toSalt,
    possible: { tenant: 'acme', version: 1, kek_id: 'k1', envelope: '{}', created_at: 1, erased_at: null },
    impossible: [
      [{ kek_id: null }, 'audit_salts.kek_id'],
      [{ envelope: null }, 'audit_salts.envelope'],
      [{ erased_at: 1 }, 'audit_salts.kek_id'],
      [{ erased_at: 1, kek_id: null }, 'audit_salts.envelope'],
    ],
  },
  'a decision': {
    read: toDecision,
    possible: {
      ...{ tenant: 'acme', event_id: 'e1', kind: 'policy', decided_at: 5 },
      event: '{"tenant":"acme","eventId":"e1","at":5,"decision":"allow"}',
    },
    impossible: [
      [{ kind: 'guess' }, 'audit_decisions.kind'],
      [{ event_id: 'e2' }, 'audit_decisions.event'],
      [{ tenant: 'beta' }, 'audit_decisions.event'],
      [{ kind: 'ssrf_guard' }, 'audit_decisions.event'],
      [{ event: '[]' }, 'audit_decisions.event'],
      [{ event: '{"tenant":"acme","eventId":"e1","at":5,"decision":"maybe"}' }, 'audit_decisions.event'],
    ],
  },
  'word of a changed template': {
    read: toInvalidation,
    possible: {
      ...{ tenant: 'acme', id: 'i1', name: 'github', version: 1, created_at: 1, attempts: 0 },
      ...{ next_attempt_at: 1, delivered_at: null, last_error: null },
    },
    impossible: [
      [{ next_attempt_at: null }, 'template_invalidations.next_attempt_at'],
      [{ delivered_at: 1 }, 'template_invalidations.next_attempt_at'],
    ],
  },
  'a cursor': {
    read: toCursor,
    possible: { ...STREAM, acked_through: 5, delivered: 3, missing: 2, issued: 9, updated_at: 1 },
    impossible: [
      [{ delivered: 4 }, 'edge_cursors.acked_through'],
      [{ issued: 4 }, 'edge_cursors.issued'],
      [{ class: 'secret' }, 'edge_cursors.class'],
    ],
  },
  'a gap': {
    read: toGap,
    possible: { ...STREAM, from_seq: 1, to_seq: 1, bytes: 0, reason: 'quota', at: 1 },
    impossible: [
      [{ to_seq: 0 }, 'edge_gaps.to_seq'],
      [{ reason: 'bored' }, 'edge_gaps.reason'],
    ],
  },
  'a record': {
    read: toStoredRecord,
    possible: { ...STREAM, seq: 1, table_name: 't', priority: 3, at: 1, body: '{}', received_at: 1 },
    impossible: [[{ class: 'secret' }, 'edge_records.class']],
  },
  'a command that waits': {
    read: (row: never) => toCommand(row, 5),
    possible: COMMAND,
    impossible: [
      [{ state: 'lost' }, 'commands.state'],
      [{ attempts: 1 }, 'commands.attempts'],
      [{ lease_until: 5 }, 'commands.lease_until'],
      [{ received_at: 5 }, 'commands.received_at'],
      [{ finished_at: 5 }, 'commands.finished_at'],
      [{ result: '1' }, 'commands.result'],
      [{ payload: '{' }, 'commands.payload'],
    ],
  },
  'a command on its way': {
    read: (row: never) => toCommand(row, 5),
    possible: SENT,
    impossible: [
      [{ lease_until: null }, 'commands.lease_until'],
      [{ state: 'received' }, 'commands.received_at'],
      [{ state: 'running' }, 'commands.received_at'],
      [{ state: 'succeeded' }, 'commands.finished_at'],
      [{ state: 'succeeded', finished_at: 5 }, 'commands.lease_until'],
      [{ state: 'unknown', finished_at: 5, lease_until: null, result: '1' }, 'commands.result'],
    ],
  },
  'a bundle': {
    read: toBundle,
    possible: {
      ...{ tenant: 'acme', edge: 'edge-1', version: 1, document: 'abc', issued_at: 1, expires_at: 2 },
      content_hash: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      signatures: '[{"keyId":"k","algorithm":"EdDSA","signature":"c2ln"}]',
    },
    impossible: [
      [{ document: 'abcd' }, 'bundles.document'],
      [{ signatures: '[]' }, 'bundles.signatures'],
      [{ signatures: '[{"keyId":"k","algorithm":"none","signature":""}]' }, 'bundles.signatures'],
    ],
  },
  'what an edge said of a bundle': {
    read: toAcknowledgement,
    possible: { tenant: 'acme', edge: 'edge-1', version: 1, state: 'applied', hash: 'h', at: 1, error: null },
    impossible: [[{ state: 'liked' }, 'bundle_acknowledgements.state']],
  },
};

describe.each(Object.entries(READERS))('%s', (_what, { read, possible, impossible }) => {
  test('is read where it is possible', () => {
    expect(() => read(possible as never)).not.toThrow();
  });

  test.each(impossible)('with %j is refused, naming %s and no value', (change, column) => {
    let refusal: Partial<DbError> = {};
    try {
      read({ ...possible, ...change } as never);
    } catch (error) {
      refusal = error as DbError;
    }
    expect(refusal).toMatchObject({ code: 'invalid', message: expect.stringContaining(column) });
    for (const value of Object.values(change)) {
      if (typeof value === 'string' && value.length > 15) expect(refusal.message).not.toContain(value);
    }
  });
});

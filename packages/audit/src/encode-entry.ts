import { createHash } from 'node:crypto';
import type { Entry, EntryPolicyVersion } from '@postern/schemas';

/** A bundle of entries states each length in 16 bits (C2SP tlog-tiles), so no entry may be longer. */
export const ENTRY_BYTES_MAX = 65_535;

/** A UTF-16 unit takes at most three bytes of UTF-8; a text this short needs no count. */
const SURELY_SHORT = Math.floor(ENTRY_BYTES_MAX / 3);

/** Without these an entry is not found again; they are never replaced by a digest. */
const KEPT_MEMBERS: ReadonlySet<string> = new Set(['id', 'requestId', 'tenant', 'type']);

type Members = { [Name in keyof Required<Entry>]: Entry[Name] };

/**
 * The bytes that are stored and hashed: the RFC 8785 form of the entry, UTF-8, at most 65,535 bytes. Unpaired surrogates become
 * U+FFFD. When the form is too long, the longest string values (and `addresses`) are replaced, one after the other, by
 * `sha-256:{hex}:{bytes}` of their UTF-8 form. Equal entries give equal bytes. Throws TypeError for a number that is no safe
 * integer, and RangeError when the entry cannot be made short enough.
 */
export function encodeEntry(entry: Entry): Uint8Array {
  return new TextEncoder().encode(encodeEntryText(entry));
}

/** `encodeEntry` before UTF-8: a well-formed string, so that nothing is lost on the way to bytes. */
export function encodeEntryText(entry: Entry): string {
  const text = canonicalText(entry);
  return text.length <= SURELY_SHORT || utf8Length(text) <= ENTRY_BYTES_MAX ? text : shorten(entry);
}

/** The entry of stored bytes (or of their text). Throws SyntaxError when they are no entry of a version that is known here. */
export function decodeEntry(bytes: Uint8Array | string): Entry {
  const text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  if (!isEntry(value)) throw new SyntaxError('the stored bytes are not an audit entry of version 1');
  return value;
}

/** By the members that every entry has. What they and the others hold was judged when they were written. */
function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { v, id, seq, at, tenant, type } = value as Record<string, unknown>;
  const hasTexts = typeof id === 'string' && typeof tenant === 'string' && typeof type === 'string';
  return v === 1 && hasTexts && Number.isSafeInteger(seq) && Number.isSafeInteger(at);
}

/**
 * RFC 8785 for an object whose member names are known: written in sorted order, `JSON.stringify` does the rest, since its string
 * and number forms are the ones of ECMAScript that RFC 8785 section 3.2.2 demands. The type makes a new member an error here.
 */
function canonicalText(entry: Entry): string {
  requireIntegers(entry);
  const sorted: Members = {
    action: entry.action,
    actor: entry.actor,
    addresses: entry.addresses,
    agent: entry.agent,
    approval: entry.approval,
    argsHash: entry.argsHash,
    at: entry.at,
    attempt: entry.attempt,
    code: entry.code,
    count: entry.count,
    credential: entry.credential,
    decision: entry.decision,
    environment: entry.environment,
    fingerprint: entry.fingerprint,
    grant: entry.grant,
    id: entry.id,
    integration: entry.integration,
    intent: entry.intent,
    kind: entry.kind,
    latencyMs: entry.latencyMs,
    method: entry.method,
    node: entry.node,
    policyVersion: entry.policyVersion,
    reason: entry.reason,
    requestId: entry.requestId,
    result: entry.result,
    risk: sortedRisk(entry.risk),
    rule: entry.rule,
    seq: entry.seq,
    status: entry.status,
    subject: entry.subject,
    tenant: entry.tenant,
    type: entry.type,
    url: entry.url,
    v: entry.v,
    versions: sortedVersions(entry.versions),
  };
  const text = JSON.stringify(sorted);
  // Only an unpaired surrogate is written as an escape that begins so; a backslash in a value can look alike and is harmless.
  return text.includes('\\ud') ? JSON.stringify(sorted, wellFormed) : text;
}

function sortedRisk(risk: Entry['risk']): Entry['risk'] {
  if (risk === undefined) return undefined;
  const { labels, score } = risk;
  if (!Number.isFinite(score)) throw new TypeError('audit entry member risk.score is not a number');
  return { labels, score };
}

function sortedVersions(versions: Entry['versions']): Entry['versions'] {
  if (versions === undefined) return undefined;
  const { from, to } = versions;
  return from === undefined ? { to: sortedVersion(to) } : { from: sortedVersion(from), to: sortedVersion(to) };
}

function sortedVersion({ contentHash, number }: EntryPolicyVersion): EntryPolicyVersion {
  requireInteger('versions.number', number);
  return { contentHash, number };
}

function wellFormed(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}

function requireIntegers(entry: Entry): void {
  requireInteger('at', entry.at);
  requireInteger('seq', entry.seq);
  if (entry.attempt !== undefined) requireInteger('attempt', entry.attempt);
  if (entry.count !== undefined) requireInteger('count', entry.count);
  if (entry.latencyMs !== undefined) requireInteger('latencyMs', entry.latencyMs);
  if (entry.status !== undefined) requireInteger('status', entry.status);
}

function requireInteger(name: string, value: number): void {
  if (!Number.isSafeInteger(value)) throw new TypeError(`audit entry member ${name} is not an integer`);
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function shorten(entry: Entry): string {
  const candidates = Object.entries(entry)
    .filter(([name, value]) => !KEPT_MEMBERS.has(name) && (typeof value === 'string' || Array.isArray(value)))
    .map(([name, value]) => ({ name, value, bytes: utf8Length(JSON.stringify(value, wellFormed)) }))
    .sort((left, right) => right.bytes - left.bytes || (left.name < right.name ? -1 : 1));
  const shortened: Record<string, unknown> = { ...entry };
  for (const { name, value } of candidates) {
    shortened[name] = typeof value === 'string' ? digestOf(value) : [digestOf(JSON.stringify(value, wellFormed))];
    const text = canonicalText(shortened as unknown as Entry);
    if (utf8Length(text) <= ENTRY_BYTES_MAX) return text;
  }
  throw new RangeError('the audit entry is too long, and no value of it can be replaced by its digest');
}

function digestOf(value: string): string {
  const bytes = new TextEncoder().encode(value.toWellFormed());
  return `sha-256:${createHash('sha256').update(bytes).digest('hex')}:${bytes.length}`;
}

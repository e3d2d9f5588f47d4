import type { Entry } from '@postern/schemas';
import { expect } from 'vitest';
import type { IntentDraft, OutcomeDraft } from '../ports/call-journal.ts';
import type { DbRepositories } from '../ports/repositories.ts';

/** A call as the gateway would record it. */
export function intentOf(requestId: string, change: Partial<IntentDraft> = {}): IntentDraft {
  return {
    at: 1_000,
    tenant: 'acme',
    requestId,
    agent: 'coder',
    environment: 'dev',
    integration: 'github',
    action: 'issues.read',
    kind: 'http',
    method: 'GET',
    url: 'https://api.github.com/repos/a/b/issues',
    decision: 'allow',
    rule: 'reads',
    policyVersion: 'ab12',
    ...change,
  };
}

export function outcomeOf(requestId: string, change: Partial<OutcomeDraft> = {}): OutcomeDraft {
  return { at: 2_000, tenant: 'acme', requestId, result: 'done', status: 200, latencyMs: 12, ...change };
}

/** The whole log of a tenant, by seq, which must run from 0 without gaps or repetitions. */
export async function readLog({ audit }: DbRepositories, tenant = 'acme'): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (;;) {
    const leaves = await audit.readLeaves(tenant, entries.length, 1_000);
    for (const leaf of leaves) entries.push(JSON.parse(new TextDecoder().decode(leaf.bytes)) as Entry);
    if (leaves.length < 1_000) break;
  }
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index));
  expect(await audit.size(tenant)).toBe(entries.length);
  expect(new Set(entries.map((entry) => entry.id)).size).toBe(entries.length);
  return entries;
}

/** Request ids of intents by how many outcomes they have. */
export function countOutcomes(entries: readonly Entry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { type, requestId = '' } of entries) {
    if (type === 'intent') counts.set(requestId, counts.get(requestId) ?? 0);
    if (type === 'outcome') counts.set(requestId, (counts.get(requestId) ?? 0) + 1);
  }
  return counts;
}

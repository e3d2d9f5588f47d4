import { performance } from 'node:perf_hooks';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { JournalHarness } from '../conformance/harness.ts';
import { TERMS } from '../conformance/held-calls.ts';
import type { ApprovalSummary } from '../ports/approvals.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

const APPROVALS = 100_000;
const PENDING = 10_000;
const PAGE = 1_000;
const PAGE_MS_MAX = 200;
/** The machine has other work: the best of so many tries counts. */
const TRIES = 3;

describe('among a hundred thousand approvals on SQLite', () => {
  let harness: JournalHarness;
  beforeAll(async () => {
    harness = await makeSqliteHarness();
    await fill(harness);
  }, 120_000);
  afterAll(() => harness.close());

  /** All pages, and how long the best try at each took. */
  async function readPages(filter: { status?: 'pending' | 'denied'; agent?: string }, pages: number) {
    const items: ApprovalSummary[] = [];
    const tookMs: number[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < pages; page += 1) {
      let next: string | undefined;
      let best = Number.POSITIVE_INFINITY;
      for (let tries = 0; tries < TRIES; tries += 1) {
        const began = performance.now();
        const request = { limit: PAGE, nowMs: harness.clock.nowMs, ...(cursor && { cursor }) };
        const read = await harness.repositories.approvals.list('acme', filter, request);
        best = Math.min(best, performance.now() - began);
        if (tries === 0) items.push(...read.items);
        next = read.nextCursor;
      }
      tookMs.push(best);
      cursor = next;
    }
    return { items, tookMs, cursor };
  }

  test('ten pages of a thousand pending ones take less than 200 ms each', async () => {
    const { items, tookMs, cursor } = await readPages({ status: 'pending' }, PENDING / PAGE);
    expect(new Set(items.map(({ id }) => id)).size).toBe(PENDING);
    expect(items.every(({ status }) => status === 'pending')).toBe(true);
    expect(cursor).toBeUndefined();
    expect(Math.max(...tookMs)).toBeLessThan(PAGE_MS_MAX);
  });

  test('the first and the second page of all take no longer, nor of an agent', async () => {
    for (const filter of [{}, { agent: 'agent-3' }, { status: 'denied' }] as const) {
      const { items, tookMs } = await readPages(filter, 2);
      expect(items).toHaveLength(2 * PAGE);
      expect(Math.max(...tookMs)).toBeLessThan(PAGE_MS_MAX);
    }
  });
});

/** Most have ended; the pending ones lie between them. Of ten agents. */
async function fill({ client, clock }: JournalHarness): Promise<void> {
  const votes = JSON.stringify([{ by: 'bob', groups: ['ops'], at: 1 }]);
  const descriptor = JSON.stringify({ v: 1, padding: 'x'.repeat(500) });
  const end = clock.nowMs + 900_000;
  await sql`
    with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n < ${APPROVALS - 1})
    insert into approvals (tenant, id, agent, integration, action, method, url, fingerprint, request_id, summary, risk, descriptor,
      terms, status, votes, created_at, expires_at, denied_until)
    select 'acme', 'id-' || n, 'agent-' || (n % 10), 'github', 'issues.write', 'POST', 'https://api.github.com/repos/a/b/issues',
      'f' || n, 'r-' || n, 'POST /repos/a/b/issues', '{"score":0.4,"labels":["destructive"]}', ${descriptor}, ${JSON.stringify(TERMS)},
      case when n % ${APPROVALS / PENDING} = 0 then 'pending' else 'denied' end, ${votes}, n / 3, ${end},
      case when n % ${APPROVALS / PENDING} = 0 then null else n end
    from numbers`.execute(client.writes(INSTANCE_SCOPE));
}

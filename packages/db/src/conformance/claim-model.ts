import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ClaimSettlement } from '../ports/call-journal.ts';
import type { ClaimResolution, ClaimState } from '../ports/claims.ts';
import type { CountingJournal, JournalHarness, MakeJournalHarness } from './harness.ts';
import { commit, FINGERPRINT, findClaim, OTHER_FINGERPRINT, settle, takeOf } from './held-calls.ts';
import { countOutcomes, readLog } from './journal-calls.ts';

const LEASE_MS = 15_000;
const TTL_MS = 60_000;

type Step =
  | { readonly do: 'take'; readonly by: 0 | 1; readonly fingerprint: string; readonly mayRepeat: boolean }
  | { readonly do: 'settle'; readonly by: 0 | 1; readonly to: ClaimSettlement['to']; readonly untilMs: number }
  | { readonly do: 'restart'; readonly by: 0 | 1 }
  | { readonly do: 'resolve'; readonly outcome: ClaimResolution['outcome'] }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'sweep' };

const by = fc.constantFrom<0 | 1>(0, 1);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      by,
      fingerprint: fc.constantFrom(FINGERPRINT, FINGERPRINT, FINGERPRINT, OTHER_FINGERPRINT),
      mayRepeat: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      by,
      to: fc.constantFrom(
        'succeeded' as const,
        'failed_not_sent' as const,
        'failed_final' as const,
        'unknown' as const,
      ),
      untilMs: fc.constantFrom(1, 1_000, 30_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), by }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('resolve' as const),
      outcome: fc.constantFrom('done' as const, 'not_done' as const, 'retry' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 999, 14_999, 15_000, 60_000, -20_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const) }) },
);

/** What the specification says of one key, in a few lines. */
interface Model {
  state: ClaimState | undefined;
  fingerprint: string;
  fence: number;
  expiresAt: number;
  createdAt: number;
  retry: boolean;
  /** The call that holds it, while it is dispatching. */
  holder: string | undefined;
}

/** `runs`: fewer where a journal is slow to start. */
export function describeClaimModel(makeHarness: MakeJournalHarness, runs = 40): void {
  describe('the life of a claim', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    /** Runs the steps on a key of its own, beside the model, and compares them after each. */
    async function run(steps: readonly Step[], key: string): Promise<void> {
      const { clock, repositories } = harness;
      const model: Model = {
        state: undefined,
        fingerprint: '',
        fence: 0,
        expiresAt: 0,
        createdAt: 0,
        retry: false,
        holder: undefined,
      };
      const nodes: { journal: CountingJournal; boots: number; leaseUntil: number; open: string[] }[] = [];
      const journals: CountingJournal[] = [];
      const open = async (index: number, boots: number) => {
        const journal = await harness.openJournal({ node: `${key}-${index}`, boot: `${key}-${index}-${boots}` });
        journals.push(journal);
        nodes[index] = { journal, boots, leaseUntil: 0, open: [] };
      };
      await open(0, 1);
      await open(1, 1);
      let requests = 0;

      /** What reads so now becomes so: the lease of the holder ran out, or the lifetime is over. */
      const holderOf = (requestId: string | undefined) => nodes.find((node) => node.open.includes(requestId ?? ''));
      const reads = (): ClaimState | undefined => {
        const { state } = model;
        if (state === undefined || state === 'unknown') return state;
        if (state === 'dispatching') {
          const holder = holderOf(model.holder);
          return holder !== undefined && holder.leaseUntil > clock.nowMs ? 'dispatching' : 'unknown';
        }
        return model.expiresAt <= clock.nowMs ? undefined : state;
      };
      /** A journal takes or renews its lease before whatever it writes, once a third of it is used up. */
      const writes = (node: (typeof nodes)[number]) => {
        if (node.open.length === 0 && node.leaseUntil === 0) node.leaseUntil = clock.nowMs + LEASE_MS;
        if (node.leaseUntil - clock.nowMs < (LEASE_MS * 2) / 3) node.leaseUntil = clock.nowMs + LEASE_MS;
      };

      for (const step of steps) {
        switch (step.do) {
          case 'take': {
            const node = nodes[step.by] as (typeof nodes)[number];
            const requestId = `${key}-r${++requests}`;
            writes(node);
            const state = reads();
            const isSame = state === undefined || model.fingerprint === step.fingerprint;
            const isOpen =
              state === undefined ||
              state === 'failed_not_sent' ||
              (state === 'unknown' && (step.mayRepeat || model.retry));
            const expiresAt = clock.nowMs + TTL_MS;
            const { fingerprint, mayRepeat } = step;
            const taking = commit(node.journal, requestId, {
              claim: takeOf(key, { fingerprint, mayRepeat, expiresAt }),
            });
            if (!isSame || !isOpen) {
              const found = isSame ? state : 'fingerprint_mismatch';
              await expect(taking).rejects.toMatchObject({ condition: { lost: 'claim_lost', found } });
              break;
            }
            await taking;
            node.open.push(requestId);
            if (state === undefined) model.createdAt = clock.nowMs;
            Object.assign(model, { state: 'dispatching', fingerprint, expiresAt, holder: requestId, retry: false });
            model.fence += 1;
            break;
          }
          case 'settle': {
            const node = nodes[step.by] as (typeof nodes)[number];
            const requestId = node.open.shift();
            if (requestId === undefined) break;
            writes(node);
            const until = clock.nowMs + step.untilMs;
            const claim: ClaimSettlement =
              step.to === 'failed_final'
                ? { to: step.to, problem: { code: 'x', status: 502, until } }
                : { to: step.to };
            await settle(node.journal, requestId, { claim });
            if (model.holder !== requestId) break;
            Object.assign(model, { state: step.to, holder: undefined });
            if (step.to === 'failed_final') model.expiresAt = until;
            break;
          }
          case 'restart': {
            const { boots, open: lost } = nodes[step.by] as (typeof nodes)[number];
            await open(step.by, boots + 1);
            await nodes[step.by]?.journal.recover();
            // Whatever any boot left open whose lease is over was closed too.
            const over = nodes.filter((node) => node.leaseUntil <= clock.nowMs).flatMap((node) => node.open);
            if (model.holder !== undefined && [...lost, ...over].includes(model.holder)) {
              Object.assign(model, { state: 'unknown', holder: undefined });
            }
            for (const node of nodes) {
              if (node.leaseUntil <= clock.nowMs) Object.assign(node, { open: [], leaseUntil: 0 });
            }
            break;
          }
          case 'resolve': {
            const state = reads();
            const claim = await findClaim(harness, key);
            if (claim === undefined) break;
            const resolution = { outcome: step.outcome, note: '', by: 'olga', at: clock.nowMs };
            const { isDone } = await repositories.claims.resolve('acme', claim.id, resolution);
            expect(isDone).toBe(state === 'unknown');
            if (!isDone) break;
            const after = { done: 'succeeded', not_done: 'failed_not_sent', retry: 'unknown' } as const;
            const lifetime = Math.max(0, model.expiresAt - model.createdAt);
            model.expiresAt = Math.max(model.expiresAt, clock.nowMs + lifetime);
            Object.assign(model, { state: after[step.outcome], retry: step.outcome === 'retry', holder: undefined });
            break;
          }
          case 'pass':
            clock.nowMs += step.ms;
            break;
          case 'sweep':
            await repositories.claims.sweep(clock.nowMs, 10);
            // A key that was swept begins to count anew.
            if (reads() === undefined) Object.assign(model, { state: undefined, fence: 0 });
            break;
        }
        const claim = await findClaim(harness, key);
        expect(claim?.state).toBe(reads());
        if (claim !== undefined) {
          expect(claim).toMatchObject({
            fence: model.fence,
            fingerprint: model.fingerprint,
            isRetryAllowed: model.retry,
          });
        }
      }
      // Each has a connection of its own, and runs are many.
      for (const journal of journals) await journal.close();
    }

    test('is what the specification says, whatever two nodes, an operator and the clock do', async () => {
      let keys = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 16 }), (steps) => run(steps, `key-${++keys}`)),
        { numRuns: runs },
      );
      const outcomes = countOutcomes(await readLog(harness.repositories));
      expect([...outcomes.values()].every((count) => count <= 1)).toBe(true);
    }, 120_000);
  });
}

import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { BenchRun } from '../bench-run.ts';
import { readPeakMemoryMb } from '../measure-process.ts';
import { requestBody } from '../message-bodies.ts';
import { inRounds } from '../rounds.ts';
import type { Variant } from '../variants/variant.ts';
import { callsPerSecond, loadFigures } from './load-figures.ts';
import type { ScrubbingRow } from './scrubbing.ts';

/**
 * Calls without a key, calls that come under a key for the first time, the first re-sends of these (each has to be read from the store and
 * opened), and re-sends of one call over and over.
 */
export interface Replay {
  readonly keyless: ScrubbingRow;
  readonly forwarded: ScrubbingRow;
  readonly replayed: ScrubbingRow;
  readonly repeated: ScrubbingRow;
}

const CONTENDERS = ['keyless', 'forwarded', 'replayed', 'repeated'] as const;

export async function measureReplay(run: BenchRun, keyless: Variant, share: number): Promise<Replay> {
  const { plan, say } = run;
  const text = randomUUID();
  const forwarded: Variant = { ...keyless, idempotencyKey: { text, use: 'fresh' } };
  const replayed: Variant = { ...keyless, idempotencyKey: { text, use: 'again' } };
  const repeated: Variant = { ...keyless, idempotencyKey: { text, use: 'one' } };
  await storeAnswer(repeated);
  const variants = { keyless, forwarded, replayed, repeated };
  for (const name of CONTENDERS) await run.warmUp(variants[name]);
  const windowMs = plan.windowMs(plan.rounds * CONTENDERS.length, share);
  const results = await inRounds(CONTENDERS, plan.rounds, async (name, round) => {
    const report = await run.measure(variants[name], { kind: 'closed' }, windowMs);
    say(`replay, round ${round + 1} of ${plan.rounds}: ${name} ${callsPerSecond(report)}`);
    return report;
  });
  const peakMemoryMb = readPeakMemoryMb(keyless.processId);
  const rows = [...results].map(([name, reports]) => [name, { ...loadFigures(reports), peakMemoryMb }]);
  return Object.fromEntries(rows) as Record<keyof Replay, ScrubbingRow>;
}

/** The one call of the key that is sent on: equal ones at once would be refused while it runs. */
function storeAnswer({ port, path, tokens, idempotencyKey }: Variant): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${tokens[0]}`,
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'postern-bench',
      'idempotency-key': idempotencyKey?.text,
    };
    const outgoing = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false }, (answer) => {
      const kept = answer.headers['postern-idempotency'];
      if (kept !== 'stored') reject(new Error(`the first call of a key was answered ${answer.statusCode}, ${kept}`));
      answer.resume().on('end', resolve);
    });
    outgoing.on('error', reject);
    outgoing.end(requestBody());
  });
}

import { openRawConnection } from '@postern/testing';
import { checkCase } from './check-case.ts';
import { type FuzzCase, type FuzzOutcome, planCase, sendCase } from './fuzz-case.ts';
import type { FuzzTarget } from './fuzz-target.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly cases: number;
  /** The first case; with `cases: 1` one case is run again. */
  readonly first?: number;
  /** Cases at a time. */
  readonly workers: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzFigures {
  readonly cases: number;
  readonly answers: number;
  readonly forwarded: number;
}

/** A case that showed a fault of the gateway, with what is needed to see it again. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';
}

/** After so many cases the gateway is asked whether all is well with it, and what was noted is let go. */
const ROUND = 1_024;

/** @throws FuzzFailure at the first case that fails. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzFigures> {
  const { seed, cases, first = 0, workers } = options;
  let answers = 0;
  let forwarded = 0;
  for (let done = 0; done < cases; done += ROUND) {
    const round = Array.from({ length: Math.min(ROUND, cases - done) }, (_, place) => first + done + place);
    const queue = [...round];
    const work = async (worker: number) => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const count = await runCase(target, planCase(target, seed, index, worker), seed);
        answers += count;
      }
    };
    await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
    forwarded += target.upstream.seen.size;
    await checkRound(target, `cases ${round[0]} to ${round.at(-1)} of seed ${seed}`);
    target.upstream.forget();
    target.forget();
    options.onProgress?.(done + round.length);
  }
  return { cases, answers, forwarded };
}

/** The number of answers that the client got. */
async function runCase(target: FuzzTarget, run: FuzzCase, seed: number): Promise<number> {
  let outcome: FuzzOutcome | undefined;
  try {
    outcome = await sendCase(target, run);
    await checkCase(target, run, outcome);
    const [fault] = target.faults();
    if (fault !== undefined) throw new Error(fault);
    return outcome.received.toString('latin1').split('HTTP/1.1 ').length - 1;
  } catch (error) {
    throw new FuzzFailure(describe(run, seed, outcome, error as Error));
  }
}

function describe(run: FuzzCase, seed: number, outcome: FuzzOutcome | undefined, { message }: Error): string {
  const show = (bytes: Buffer) =>
    JSON.stringify(bytes.length > 6_000 ? bytes.toString('latin1', 0, 6_000) : bytes.toString('latin1'));
  const behaviours = [...run.behaviours].map(
    ([id, { pieces, ending }]) => `  ${id}: ${pieces.map(show).join(' | ')} then ${ending}`,
  );
  return [
    `${message}`,
    `case ${run.index} of seed ${seed}, hostile: ${run.hostility}; again: node test/fuzz/run.ts --seed ${seed} --first ${run.index} --cases 1`,
    `sent: ${run.pieces.map(show).join(' | ')}`,
    ...(behaviours.length === 0 ? [] : ['upstream:', ...behaviours]),
    `received: ${outcome === undefined ? 'no end' : show(outcome.received)}`,
  ].join('\n');
}

/** The gateway serves a stranger, has noted everything, and every call that went out has its two entries. */
async function checkRound(target: FuzzTarget, which: string): Promise<void> {
  using connection = await openRawConnection(target.port);
  connection.write(`GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${target.key}\r\n\r\n`);
  const answer = await connection.read();
  if (answer.status !== 200) throw new FuzzFailure(`after ${which} the gateway answers ${answer.head}`);
  const sample = [...target.upstream.seen.keys()].filter((_id, index) => index % 16 === 0);
  for (const requestId of sample) {
    const types = await target.entriesOf(requestId);
    if (types.join() !== 'intent,outcome')
      throw new FuzzFailure(`after ${which} call ${requestId} has the entries: ${types}`);
  }
}

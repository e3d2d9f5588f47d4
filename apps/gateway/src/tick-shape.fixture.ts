import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { prepareMemory } from './prepare-memory.ts';

/** Prints what V8 has learned of the literals with computed names in `process.nextTick`, once all of the heap was collected. */
setFlagsFromString('--expose-gc');
setFlagsFromString('--allow-natives-syntax');
const collect = runInNewContext('gc') as () => void;
const feedbackOf = new Function('subject', 'return %GetFeedback(subject)') as (
  subject: object,
) => ([string, string] | undefined)[];

if (process.argv[2] === 'kept') prepareMemory();
for (let round = 0; round < 50; round++) {
  for (let tick = 0; tick < 8; tick++) process.nextTick(() => undefined);
  await turn();
  if (round === 25) collect();
}
const learned = feedbackOf(process.nextTick).filter((slot) => slot?.[0] === 'DefineKeyedOwnPropertyInLiteral');
process.stdout.write(learned.map((slot) => slot?.[1]).join(' '));

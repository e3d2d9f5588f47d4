import type { BenchRun } from '../bench-run.ts';
import { type Figure, figureOf } from '../statistics.ts';
import { posternProgram, USUAL_SIZE } from '../variants/postern.ts';

/** Its slowest way to be started: Node loads its compiler for this one file, which `bin/gateway.js` spares it. */
const MAIN = new URL('../../apps/gateway/src/main.ts', import.meta.url).pathname;

/**
 * Milliseconds from starting `node apps/gateway/src/main.ts` to its ready line, each time on a data folder that is not there yet
 * (keys made, database migrated, start-up file applied). One start before them fills Node's compile cache.
 */
export async function measureStartToReady({ plan, surroundings, say }: BenchRun): Promise<Figure> {
  const startsMs: number[] = [];
  for (let index = 0; index <= plan.starts; index += 1) {
    const { program } = posternProgram(surroundings, USUAL_SIZE, `start-${index}`);
    const beganMs = performance.now();
    const { stop } = await surroundings.workplace.start({ ...program, arguments: [MAIN] });
    const readyMs = performance.now() - beganMs;
    await stop();
    if (index === 0) continue;
    startsMs.push(readyMs);
    say(`start to ready, ${index} of ${plan.starts}: ${Math.round(readyMs)} ms`);
  }
  return figureOf(startsMs);
}

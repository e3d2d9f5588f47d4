import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './ask.ts';
import type { LoadOrder, LoadReport, Pace } from './load/order.ts';
import { CONNECTIONS, PAUSE_MS, type Plan } from './plan.ts';
import type { Surroundings, Variant } from './variants/variant.ts';
import type { StartedProgram, Workplace } from './workplace.ts';

/** What every measurement works with. */
export interface BenchRun {
  readonly plan: Plan;
  readonly surroundings: Surroundings;
  /** Tells a person what is going on. */
  readonly say: (line: string) => void;
  /** Loads a variant for one window. Rejects at the first answer that is not the upstream's. */
  measure(variant: Variant, pace: Pace, windowMs: number): Promise<LoadReport>;
  /** Loads a variant with nobody measuring, until each of its tokens has been used at least once. */
  warmUp(variant: Variant): Promise<void>;
}

/** Beyond the load's own time. */
const ANSWER_WITHIN_MS = 20_000;

/** Starts upstream and load generator. */
export async function startBenchRun(workplace: Workplace, plan: Plan, say: (line: string) => void): Promise<BenchRun> {
  const secret = randomBytes(32).toString('base64url');
  const upstream = await workplace.start({
    name: 'upstream',
    command: process.execPath,
    arguments: [pathOf('./upstream.ts')],
    environment: { UPSTREAM_SECRET: secret },
    ready: /^ready port=(\d+)$/,
  });
  const generator = await workplace.start({
    name: 'load-generator',
    command: process.execPath,
    arguments: [pathOf('./load/load-generator.ts')],
    hasMessages: true,
  });
  const surroundings: Surroundings = {
    workplace,
    upstream: { port: Number(upstream.ready[1]), processId: upstream.processId, secret },
  };

  return {
    plan,
    surroundings,
    say,
    async measure(variant, pace, windowMs) {
      const report = await load(generator, variant, { pace, leadMs: plan.leadMs, windowMs });
      await delay(PAUSE_MS);
      return report;
    },
    async warmUp(variant) {
      const callsMax = Math.max(plan.warmUpCalls, variant.tokens.length);
      // The first use of a token may be dear, and each must have been used: it gets four times the time.
      const windowMs = plan.warmUpMsMax * (variant.tokens.length > 1 ? 4 : 1);
      const { calls } = await load(generator, variant, { pace: { kind: 'closed', callsMax }, leadMs: 0, windowMs });
      if (calls < callsMax) say(`${variant.name} took ${calls} of ${callsMax} warm-up calls in ${windowMs} ms`);
    },
  };
}

async function load(
  generator: StartedProgram,
  variant: Variant,
  load: Pick<LoadOrder, 'pace' | 'leadMs' | 'windowMs'>,
): Promise<LoadReport> {
  const { name, ...called } = variant;
  const order: LoadOrder = { ...load, ...called, connections: CONNECTIONS };
  try {
    return await ask<LoadReport>(generator.child, order, load.leadMs + load.windowMs + ANSWER_WITHIN_MS);
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function pathOf(file: string): string {
  return new URL(file, import.meta.url).pathname;
}

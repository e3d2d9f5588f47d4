import { mkdirSync, writeFileSync } from 'node:fs';
import { type BenchArguments, HELP, readArguments, UsageError } from './arguments.ts';
import { type Goal, judgeGoals } from './goals.ts';
import { measureAll } from './measure-all.ts';
import { fullPlan, quickPlan } from './plan.ts';
import { type BenchReport, benchDocument } from './report.ts';
import { reportText } from './tables.ts';
import { openWorkplace } from './workplace.ts';

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** Exit code 130: interrupted, as shells have it. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = readArguments(argv);
    if (options.help) process.stdout.write(HELP);
    else await runBench(options);
    return 0;
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
    if (error instanceof Interrupted) return 130;
    return error instanceof UsageError ? 2 : 1;
  }
}

async function runBench(options: BenchArguments): Promise<void> {
  if (process.platform !== 'linux') throw new Error('the benchmark reads /proc and runs on Linux only');
  const beganMs = performance.now();
  const workplace = openWorkplace((message) => process.stderr.write(`bench: ${message}\n`));
  const interruption = Promise.withResolvers<never>();
  const interrupt = () => interruption.reject(new Interrupted('interrupted'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // Should an error that nobody caught end the process.
  process.on('exit', workplace.clear);
  try {
    const { quick, only, rounds, seconds } = options;
    const plan = quick ? quickPlan({ rounds, seconds }) : fullPlan({ rounds, seconds });
    const say = (line: string) =>
      process.stderr.write(`[${((performance.now() - beganMs) / 1_000).toFixed(0).padStart(4)} s] ${line}\n`);
    const measurement = measureAll({ workplace, plan, isQuick: quick, only, say });
    const report = await Promise.race([measurement, interruption.promise]);
    publish(report, judgeGoals(report), options);
    if (report.failure !== undefined) throw new Error(report.failure);
  } finally {
    await workplace.close();
  }
}

function publish(report: BenchReport, goals: readonly Goal[], { jsonFile, write }: BenchArguments): void {
  const text = reportText(report, goals);
  const json = `${JSON.stringify(benchDocument(report, goals), rounded, 2)}\n`;
  process.stdout.write(`\n${text}`);
  if (jsonFile !== undefined) writeFileSync(jsonFile, json);
  if (!write || report.failure !== undefined) return;
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('latest.json', folder), json);
  writeFileSync(new URL('latest.md', folder), text);
}

/** Three decimals are more than any machine can hold. */
function rounded(_name: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value;
}

// Not `exitCode`: after an interruption a measurement may still wait for what will not come.
process.exit(await main(process.argv.slice(2)));

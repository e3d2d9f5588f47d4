import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';
import { startFuzzProcess, startFuzzTarget } from './fuzz-target.ts';

/**
 * `node test/fuzz/run.ts --cases 100000 --seed N`: throws mutated requests and answers at a gateway and checks what comes out.
 * `--process` runs the real program instead of a gateway in this process; `--first` begins at that case.
 */
const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
    first: { type: 'string', default: '0' },
    workers: { type: 'string', default: '96' },
    process: { type: 'boolean', default: false },
  },
});

const cases = Number(values.cases);
const seed = Number(values.seed);
const workers = Math.min(Number(values.workers), cases);
const started = performance.now();
let told = 0;

process.stdout.write(
  `seed ${seed}, ${cases} cases, ${workers} at a time, ${values.process ? 'the real program' : 'in this process'}\n`,
);
{
  await using target = await (values.process ? startFuzzProcess(workers) : startFuzzTarget(workers));
  const figures = await fuzz(target, {
    seed,
    cases,
    first: Number(values.first),
    workers,
    onProgress: (done) => {
      if (done - told < 5_000 && done < cases) return;
      told = done;
      const seconds = (performance.now() - started) / 1_000;
      process.stdout.write(
        `${done} cases, ${Math.round(done / seconds)} a second, ${Math.round(process.memoryUsage().rss / 1_048_576)} MiB\n`,
      );
    },
  });
  process.stdout.write(
    `no fault in ${figures.cases} cases: ${figures.answers} answers, ${figures.forwarded} calls forwarded\n`,
  );
}
process.exit(0);

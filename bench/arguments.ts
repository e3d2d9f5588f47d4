import { parseArgs } from 'node:util';

export const TABLES = [
  'decisions',
  'throughput',
  'latency',
  'commit',
  'start',
  'growth',
  'scrubbing',
  'replay',
  'stores',
] as const;
export type TableName = (typeof TABLES)[number];

export interface BenchArguments {
  readonly help: boolean;
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly seconds: number | undefined;
  readonly only: ReadonlySet<TableName>;
  readonly jsonFile: string | undefined;
  readonly write: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const HELP = `npm run bench -- [options]

Measures Postern beside a direct connection, nginx (when installed), @fastify/http-proxy and a bare forwarder on Postern's own
transport, in one run of interleaved rounds; decisions beside Cedar and bare CEL. Linux only: processor time and memory are read from /proc.

  --quick         3 rounds, everything but scrubbing, replay and stores within a minute
  --rounds N      rounds (default 7)
  --seconds S     how long a variant is measured in a round (default 3)
  --only A,B      some of the tables: ${TABLES.join(', ')}
  --json FILE     write machine, results and ratios as JSON
  --write         save the tables in bench/results/; the default of a full run with no option but --json
  --help          this text

Exit codes: 0 measured (goals met or not), 1 failed, for example at an answer that was not 200; 2 misused.
`;

/** @throws UsageError */
export function readArguments(argv: readonly string[]): BenchArguments {
  const { values } = parse(argv);
  const only = new Set(values.only === undefined ? TABLES : values.only.split(',').map(tableName));
  const isFull =
    !values.quick && values.rounds === undefined && values.seconds === undefined && only.size === TABLES.length;
  return {
    help: values.help,
    quick: values.quick,
    rounds: positive('--rounds', values.rounds, Number.isInteger),
    seconds: positive('--seconds', values.seconds, Number.isFinite),
    only,
    jsonFile: values.json,
    write: values.write || isFull,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'string' },
        write: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function tableName(text: string): TableName {
  const name = TABLES.find((table) => table === text);
  if (name === undefined) throw new UsageError(`--only: "${text}" is none of ${TABLES.join(', ')}`);
  return name;
}

function positive(option: string, text: string | undefined, fits: (value: number) => boolean): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0) || !fits(value)) throw new UsageError(`${option}: "${text}" is not a number above 0`);
  return value;
}

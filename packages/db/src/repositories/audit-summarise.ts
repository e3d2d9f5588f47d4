import { blockOf, ERA_SPANS, eraOf, SPAN_BLOCKS, spanOf } from '../audit-terms.ts';
import { requireIntegerBetween } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { type BlockSummary, readBlock, writeBlocks } from './audit-block.ts';
import { summariseEra } from './audit-era.ts';
import { summariseSpan } from './audit-span.ts';
import { type LogProgress, readProgress, summaryRows } from './audit-summary-rows.ts';

/** Logs that are looked at in one go; of an instance with more, others come next time. */
const LOGS_MAX = 1_000;
/** Logs of one statement: calls may wait for it. */
const LOGS_AT_ONCE = 100;
/** Spans whose blocks are looked at in one go. */
const SPANS_AHEAD = ERA_SPANS;
/** Blocks that are written together. */
const BLOCKS_AT_ONCE = 8;
const LIMIT_MAX = 1_000;

/**
 * Summarises what has become whole: blocks of 1,024 entries, then spans of 32 blocks, then eras of 32 spans. Each of them is done once the last of its rows is
 * there, so what was cut off anywhere is done again, and two that do the same at once do no harm. Logs have their turns.
 */
export function createSummariser(dbClient: DbClient): (limit: number) => Promise<number> {
  let last = 0;
  return async (limit) => {
    requireIntegerBetween('audit_blocks: their number', limit, 1, LIMIT_MAX);
    const [start, turns] = [last, [{ after: last, to: Number.MAX_SAFE_INTEGER }]];
    if (start > 0) turns.push({ after: 0, to: start });
    let [done, seen] = [0, 0];
    for (const turn of turns) {
      for await (const log of progressOf(dbClient, turn)) {
        last = log.log;
        done += await summariseLog(dbClient, log, limit - done);
        seen += 1;
        if (done >= limit || seen === LOGS_MAX) return done;
      }
    }
    return done;
  };
}

interface LogRange {
  readonly after: number;
  readonly to: number;
}

async function* progressOf(dbClient: DbClient, { after, to }: LogRange): AsyncGenerator<LogProgress> {
  for (let from = after; ; ) {
    const logs = await readProgress(dbClient, { after: from, to, limit: LOGS_AT_ONCE });
    yield* logs;
    const last = logs.at(-1);
    if (last === undefined || logs.length < LOGS_AT_ONCE) return;
    from = last.log;
  }
}

/** Returns how many blocks, spans and eras it made. */
async function summariseLog(dbClient: DbClient, progress: LogProgress, limit: number): Promise<number> {
  const { log, oldest, newest } = progress;
  if (oldest === null || newest === null) return 0;
  const oldestSpan = spanOf(blockOf(oldest));
  let newestSpan = progress.newestSpan ?? oldestSpan - 1;
  const first = Math.max(blockOf(oldest), (newestSpan + 1) * SPAN_BLOCKS);
  // The block in which the next entry will stand is not whole.
  const whole = blockOf(newest + 1);
  const end = Math.min(whole, (newestSpan + 1 + SPANS_AHEAD) * SPAN_BLOCKS);
  // What was counted may lie before the oldest entry or behind `end`: only where all are there, none is missing between.
  const isMissing = Number(progress.blocks) < whole - ((progress.newestSpan ?? -1) + 1) * SPAN_BLOCKS;
  const missing = isMissing && first < end ? await missingBlocks(dbClient, { log, first, end }) : [];
  let done = Math.min(missing.length, limit);
  await summariseBlocks(dbClient, log, missing.slice(0, done));
  // Where something is left over, all blocks are there.
  while (done < limit && (newestSpan + 2) * SPAN_BLOCKS <= end) {
    newestSpan += 1;
    await summariseSpan(dbClient, log, newestSpan);
    done += 1;
  }
  let newestEra = progress.newestEra ?? eraOf(oldestSpan) - 1;
  while (done < limit && (newestEra + 2) * ERA_SPANS <= newestSpan + 1) {
    newestEra += 1;
    await summariseEra(dbClient, log, newestEra);
    done += 1;
  }
  return done;
}

/** Blocks that nobody has summarised yet: where entries are appended in one place alone, most are summarised there. */
async function missingBlocks(
  dbClient: DbClient,
  { log, first, end }: { readonly log: number; readonly first: number; readonly end: number },
): Promise<readonly number[]> {
  const rows = await summaryRows(dbClient.points(INSTANCE_SCOPE), log).blocks(first, end - 1);
  const known = new Set(rows.map(({ block }) => block));
  return Array.from({ length: end - first }, (_, index) => first + index).filter((block) => !known.has(block));
}

async function summariseBlocks(dbClient: DbClient, log: number, blocks: readonly number[]): Promise<void> {
  for (let index = 0; index < blocks.length; index += BLOCKS_AT_ONCE) {
    const read: BlockSummary[] = [];
    for (const block of blocks.slice(index, index + BLOCKS_AT_ONCE)) read.push(await readBlock(dbClient, log, block));
    await writeBlocks(dbClient, log, read);
  }
}

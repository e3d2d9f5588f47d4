import { requireIntegerBetween } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import { type BlockSummary, readBlock, writeBlocks } from './audit-block.ts';
import { summariseEra } from './audit-era.ts';
import { summariseSpan } from './audit-span.ts';
import { type LogProgress, readProgress } from './audit-summary-rows.ts';
import { blockOf, ERA_SPANS, eraOf, SPAN_BLOCKS, spanOf } from './audit-terms.ts';

/** Logs that are looked at in one go; of an instance with more, others come next time. */
const LOGS_MAX = 1_000;
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
    let done = 0;
    for (const { after, to } of turns) {
      const logs = await readProgress(dbClient, { after, to, limit: LOGS_MAX });
      for (const log of logs) {
        last = log.log;
        done += await summariseLog(dbClient, log, limit - done);
        if (done >= limit) return done;
      }
      if (logs.length === LOGS_MAX) return done;
    }
    return done;
  };
}

/** Returns how many blocks, spans and eras it made. */
async function summariseLog(dbClient: DbClient, progress: LogProgress, limit: number): Promise<number> {
  const { log, oldest, newest } = progress;
  if (oldest === null || newest === null) return 0;
  let { newestBlock, newestSpan, newestEra } = progress;
  let done = 0;
  // The block in which the next entry will stand is not whole.
  const end = blockOf(newest + 1);
  for (let block = newestBlock === null ? blockOf(oldest) : newestBlock + 1; block < end && done < limit; ) {
    const blocks: BlockSummary[] = [];
    for (; block < end && blocks.length < Math.min(BLOCKS_AT_ONCE, limit - done); block++) {
      blocks.push(await readBlock(dbClient, log, block));
    }
    await writeBlocks(dbClient, log, blocks);
    done += blocks.length;
    newestBlock = block - 1;
  }
  if (newestBlock === null) return done;
  newestSpan ??= spanOf(blockOf(oldest)) - 1;
  while (done < limit && (newestSpan + 2) * SPAN_BLOCKS <= newestBlock + 1) {
    newestSpan += 1;
    await summariseSpan(dbClient, log, newestSpan);
    done += 1;
  }
  newestEra ??= eraOf(spanOf(blockOf(oldest))) - 1;
  while (done < limit && (newestEra + 2) * ERA_SPANS <= newestSpan + 1) {
    newestEra += 1;
    await summariseEra(dbClient, log, newestEra);
    done += 1;
  }
  return done;
}

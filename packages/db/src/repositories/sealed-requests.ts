import type { Kysely } from 'kysely';
import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { ownBytes } from '../own-bytes.ts';
import { DbError } from '../ports/db-error.ts';
import {
  SEALED_CHUNK_BYTES_MAX,
  SEALED_REQUEST_BYTES_MAX,
  type SealedRequestRecord,
  type SealedRequestsPort,
} from '../ports/sealed-requests.ts';
import type { SealedRequestRow, Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { checkRoom } from './tenant-limits.ts';

/** How long a request that is being written is left alone. */
const WRITING_MS = 3_600_000;

export function createSealedRequests(dbClient: DbClient, options: RepositoryOptions): SealedRequestsPort {
  return {
    write: (request, chunks) => write(dbClient, options, { ...request, chunks }),

    async getById(tenant, id, context) {
      const row = await selectRequests(pointsOf(dbClient, context, tenant), tenant, id).executeTakeFirst();
      return row && toRecord(row);
    },

    read: (tenant, id) => read(dbClient, tenant, id),

    async keepUntil(tenant, id, keepUntil, context) {
      requireCount('sealed_requests.keep_until', keepUntil);
      return extendSealedRequest(writesOf(dbClient, context, tenant), { tenant, id, keepUntil });
    },

    async remove(tenant, id, context) {
      await writesOf(dbClient, context, tenant)
        .deleteFrom('sealed_requests')
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .execute();
    },

    sweep: (nowMs, limit) => sweep(dbClient, nowMs, limit),
  };
}

interface Keeping {
  readonly tenant: string;
  readonly id: string;
  readonly keepUntil: number;
}

/** Never shortens. False when it is not there. */
export async function extendSealedRequest(
  kysely: Kysely<Tables>,
  { tenant, id, keepUntil }: Keeping,
): Promise<boolean> {
  const { numUpdatedRows } = await kysely
    .updateTable('sealed_requests')
    .set(({ eb, ref }) => ({
      keep_until: eb.case().when('keep_until', '<', keepUntil).then(keepUntil).else(ref('keep_until')).end(),
    }))
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('is_complete', '=', 1)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Nobody needs it any more: the next sweep takes it. */
export async function endSealedRequest(kysely: Kysely<Tables>, { tenant, id, keepUntil }: Keeping): Promise<void> {
  await kysely
    .updateTable('sealed_requests')
    .set({ keep_until: keepUntil })
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .execute();
}

/** Where its head lies. */
interface Place {
  readonly tenant: string;
  readonly place: number;
}

interface Writing {
  readonly tenant: string;
  readonly keepUntil: number;
  readonly isBounded?: boolean;
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** Complete only with its last statement; until then it is not there for readers, and its time is that of something unfinished. */
async function write(
  dbClient: DbClient,
  { now, newId }: RepositoryOptions,
  { tenant, keepUntil, isBounded = false, chunks }: Writing,
): Promise<SealedRequestRecord> {
  requireText('sealed_requests.tenant', tenant);
  requireCount('sealed_requests.keep_until', keepUntil);
  const createdAt = now();
  const record = { tenant, id: newId(), created_at: createdAt };
  const { place } = await dbClient
    .writes(tenant)
    .insertInto('sealed_requests')
    .values({ ...record, is_complete: 0, chunks: 0, bytes: 0, keep_until: createdAt + WRITING_MS })
    .returning('place')
    .executeTakeFirstOrThrow();
  try {
    const writeChunk = isBounded ? writeBoundedChunk : writeFreeChunk;
    const written = await writeChunks(chunks, (chunk) => writeChunk(dbClient, { tenant, place }, chunk));
    const complete = { is_complete: 1, ...written, keep_until: keepUntil };
    const { numUpdatedRows } = await dbClient
      .writes(tenant)
      .updateTable('sealed_requests')
      .set(complete)
      .where('place', '=', place)
      .where('is_complete', '=', 0)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new DbError('stale', 'the sealed request was swept while it was written');
    return toRecord({ ...record, ...written, keep_until: keepUntil });
  } catch (error) {
    // What cannot be removed now is swept later.
    await removePieces(dbClient, { tenant, place }).catch(() => undefined);
    throw error;
  }
}

interface Chunk {
  readonly number: number;
  readonly sealed: Uint8Array;
}

async function writeFreeChunk(dbClient: DbClient, { tenant, place: request }: Place, chunk: Chunk): Promise<void> {
  await dbClient
    .writes(tenant)
    .insertInto('sealed_chunks')
    .values({ request, ...chunk })
    .execute();
}

/** Counted with what is not complete yet: whoever writes at once, there are never more bytes than may be. */
function writeBoundedChunk(dbClient: DbClient, { tenant, place: request }: Place, chunk: Chunk): Promise<void> {
  return inOneTransaction(dbClient, undefined, async (scope) => {
    const kysely = scope.kysely(tenant);
    await kysely
      .insertInto('sealed_chunks')
      .values({ request, ...chunk })
      .execute();
    await kysely
      .updateTable('sealed_requests')
      .set((expression) => ({ bytes: expression('bytes', '+', chunk.sealed.byteLength) }))
      .where('place', '=', request)
      .execute();
    await checkRoom(kysely, tenant, { kinds: ['sealedBytes'], nowMs: 0 });
  });
}

async function writeChunks(
  chunks: Writing['chunks'],
  writeChunk: (chunk: Chunk) => Promise<void>,
): Promise<{ chunks: number; bytes: number }> {
  let number = 0;
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (chunk.byteLength === 0 || chunk.byteLength > SEALED_CHUNK_BYTES_MAX || bytes > SEALED_REQUEST_BYTES_MAX) {
      throw new DbError('invalid', 'sealed_chunks.sealed is empty or too long');
    }
    await writeChunk({ number, sealed: ownBytes(chunk) });
    number += 1;
  }
  if (number === 0) throw new DbError('invalid', 'a sealed request has at least one chunk');
  return { chunks: number, bytes };
}

async function* read(dbClient: DbClient, tenant: string, id: string): AsyncGenerator<Uint8Array> {
  const row = await selectRequests(dbClient.lists(tenant), tenant, id).executeTakeFirst();
  if (row === undefined) throw gone();
  for (let number = 0; number < row.chunks; number += 1) {
    const chunk = await dbClient
      .lists(tenant)
      .selectFrom('sealed_chunks')
      .select('sealed')
      .where('request', '=', row.place)
      .where('number', '=', number)
      .executeTakeFirst();
    if (chunk === undefined) throw gone();
    yield chunk.sealed;
  }
}

function gone(): DbError {
  return new DbError('not_found', 'no such sealed request in that tenant');
}

async function sweep(dbClient: DbClient, nowMs: number, limit: number): Promise<number> {
  const over = await dbClient
    .points(INSTANCE_SCOPE)
    .selectFrom('sealed_requests')
    .select(['tenant', 'place'])
    .where('keep_until', '<=', nowMs)
    .orderBy('keep_until')
    .limit(limit)
    .execute();
  let removed = 0;
  for (const place of over) removed += Number(await removePieces(dbClient, place, nowMs));
  return removed;
}

/** Chunk by chunk, so that calls do not wait behind a long removal. The head goes first: then nobody reads the rest. */
async function removePieces(dbClient: DbClient, { tenant, place }: Place, nowMs?: number): Promise<boolean> {
  const { numUpdatedRows } = await dbClient
    .writes(tenant)
    .updateTable('sealed_requests')
    .set({ is_complete: 0 })
    .where('place', '=', place)
    .$if(nowMs !== undefined, (query) => query.where('keep_until', '<=', nowMs as number))
    .executeTakeFirst();
  // Meanwhile somebody needs it longer.
  if (numUpdatedRows !== 1n) return false;
  const chunks = await dbClient
    .points(tenant)
    .selectFrom('sealed_chunks')
    .select('chunk')
    .where('request', '=', place)
    .execute();
  for (const { chunk } of chunks)
    await dbClient.writes(tenant).deleteFrom('sealed_chunks').where('chunk', '=', chunk).execute();
  await dbClient.writes(tenant).deleteFrom('sealed_requests').where('place', '=', place).execute();
  return true;
}

function selectRequests(kysely: Kysely<Tables>, tenant: string, id: string) {
  return kysely
    .selectFrom('sealed_requests')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('is_complete', '=', 1);
}

function toRecord(row: Pick<SealedRequestRow, 'tenant' | 'id' | 'bytes' | 'chunks' | 'created_at' | 'keep_until'>) {
  return {
    tenant: row.tenant,
    id: row.id,
    bytes: row.bytes,
    chunks: row.chunks,
    createdAt: row.created_at,
    keepUntil: row.keep_until,
  };
}

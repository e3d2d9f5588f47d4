import type { Selectable } from 'kysely';
import { fromJsonColumn, guardParser } from '../json-column.ts';
import type { QueuedCallRecord, QueuedCallResult } from '../ports/calls.ts';
import type { QueuedCallRow } from '../tables.ts';

/** `bytes`: of its sealed answer, where that is known. */
export function toQueuedCallRecord(row: Selectable<QueuedCallRow>, bytes: number | null): QueuedCallRecord {
  const result = resultOf(row, bytes);
  return {
    tenant: row.tenant,
    id: row.id,
    agent: row.agent,
    integration: row.integration,
    state: row.state,
    sealedRequest: row.sealed_request,
    claimKey: row.claim_key,
    requestId: row.request_id,
    attempts: row.attempts,
    createdAt: row.created_at,
    ...(row.started_at === null ? {} : { startedAt: row.started_at }),
    ...(row.finished_at === null ? {} : { finishedAt: row.finished_at }),
    ...(result === undefined ? {} : { result }),
  };
}

function resultOf({ answer, problem }: Selectable<QueuedCallRow>, bytes: number | null): QueuedCallResult | undefined {
  if (answer !== null && bytes !== null) return { kind: 'answer', id: String(answer), bytes };
  if (problem === null) return undefined;
  return { kind: 'problem', ...fromJsonColumn('queued_calls.problem', problem, problemParser) };
}

type StoredProblem = Omit<Extract<QueuedCallResult, { kind: 'problem' }>, 'kind'>;

const problemParser = guardParser((value: unknown): value is StoredProblem => {
  if (typeof value !== 'object' || value === null) return false;
  const { code, status, detail } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof detail === 'string' && Number.isSafeInteger(status);
});

import { setTimeout as delay } from 'node:timers/promises';
import { type ApiApproval, type ApiEvent, ApiProblem, ApiUnreachable } from '@postern/client';
import { localTime } from '../output/times.ts';
import { visibleJsonLine, visibleText } from '../output/visible-text.ts';
import type { Session } from '../session.ts';

const RETRY_MS = 1_000;
const RETRY_MS_MAX = 15_000;

/** One line of the watch. */
interface Line {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Shows what is pending, then what becomes of approvals as it happens; with `--json` one object a line. A connection that is lost is made
 * again, and goes on where it stopped. Resolves when somebody interrupts.
 */
export async function watchApprovals(session: Session): Promise<void> {
  const { client, context } = session;
  const signal = context.interrupt?.() ?? new AbortController().signal;
  const told = new Set<string>();
  let lastEventId: string | undefined;
  let waitMs = 0;
  let hasBegun = false;
  for (;;) {
    try {
      for await (const event of client.events({ signal, ...(lastEventId === undefined ? {} : { lastEventId }) })) {
        waitMs = 0;
        lastEventId = event.id ?? lastEventId;
        if (event.type === 'open' || event.type === 'reset') {
          // By now nothing that begins is missed.
          await showPending(session, told);
          if (!hasBegun) context.note('Watching; Ctrl-C ends it.\n');
          hasBegun = true;
        } else {
          showEvent(session, event, told);
        }
      }
    } catch (error) {
      if (!signal.aborted && !(hasBegun && mayPass(error))) throw error;
    }
    if (signal.aborted) return;
    waitMs = Math.min(Math.max(RETRY_MS, waitMs * 2), RETRY_MS_MAX);
    context.note('The connection was lost; trying again.\n');
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof ApiUnreachable || (error instanceof ApiProblem && error.status >= 500);
}

async function showPending(session: Session, told: Set<string>): Promise<void> {
  const pending: ApiApproval[] = [];
  for await (const approval of session.client.approvals.all({ status: 'pending' })) pending.push(approval);
  for (const approval of pending.reverse()) {
    if (told.has(approval.id)) continue;
    told.add(approval.id);
    const { id, createdAt, ...members } = approval;
    showLine(session, { type: 'approval.pending', timestamp: createdAt, data: { approvalId: id, ...members } });
  }
}

function showEvent(session: Session, { type, timestamp = '', data }: ApiEvent, told: Set<string>): void {
  if (!type.startsWith('approval.')) return;
  const id = String(data['approvalId']);
  // It was shown as pending already, read just after it came.
  if (type === 'approval.created' && told.has(id)) return;
  if (data['status'] === 'pending') told.add(id);
  else told.delete(id);
  showLine(session, { type, timestamp, data });
}

/** Where the status alone would not tell what has happened. */
const WORDS: Readonly<Record<string, string>> = {
  'approval.voted': 'one more yes',
  'approval.reopened': 'pending again',
};

function showLine({ json, context }: Session, line: Line): void {
  if (json) return context.write(`${visibleJsonLine(line)}\n`);
  const { approvalId, status, agent, summary, decidedBy } = line.data;
  const word = WORDS[line.type] ?? status;
  const who = decidedBy === undefined ? '' : ` by ${decidedBy}`;
  const text = `${localTime(line.timestamp)}  ${approvalId}  ${word}${who}  ${agent}: ${summary}`;
  context.write(`${visibleText(text)}\n`);
}

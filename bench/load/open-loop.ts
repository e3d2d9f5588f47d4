import type { Connection } from './connection.ts';
import { openConnections } from './connection.ts';
import type { LoadOrder, LoadReport } from './order.ts';
import { createRequests } from './requests.ts';
import { createMeasuredWindow } from './window.ts';

/** Timers are a millisecond coarse; the rest of the way to a due time is spent turning the event loop. */
const TIMER_SLACK_MS = 1.2;
/** After the last call was due. */
const ANSWERS_WITHIN_MS = 5_000;

/**
 * A call is due every `1 / callsPerSecond`, whatever became of those before, and is measured from that time: waiting for a free
 * connection or a late timer is latency too. Calls due within the window count.
 *
 * @throws Error at the first fault, or when calls stay without an answer.
 */
export async function runOpenLoop(order: LoadOrder, callsPerSecond: number): Promise<LoadReport> {
  const measured = createMeasuredWindow(order.processId, order.serverIds);
  const nextRequest = createRequests(order);
  const end = Promise.withResolvers<void>();
  // A fault may come before anybody waits; it is met all the same, below.
  end.promise.catch(() => undefined);
  const stepMs = 1_000 / callsPerSecond;
  const leadCalls = Math.round(order.leadMs / stepMs);
  const allCalls = leadCalls + Math.round(order.windowMs / stepMs);
  /** Numbers of calls that are due and found no free connection. */
  const waiting: number[] = [];
  let beginMs = 0;
  let sent = 0;
  let answers = 0;

  const connections = await openConnections(order, {
    onAnswer(connection, dueMs) {
      if (dueMs >= beginMs + leadCalls * stepMs) measured.count((performance.now() - dueMs) * 1_000);
      answers += 1;
      const next = waiting.shift();
      if (next === undefined) free.push(connection);
      else connection.send(nextRequest(), beginMs + next * stepMs);
      if (answers === allCalls) end.resolve();
    },
    onFault: (fault) => end.reject(new Error(`after ${answers} good answers: ${fault}`)),
  });
  const free: Connection[] = [...connections];

  function sendDue(): void {
    const now = performance.now();
    for (; sent < allCalls && beginMs + sent * stepMs <= now; sent += 1) {
      if (sent === leadCalls) measured.open();
      const connection = free.shift();
      if (connection === undefined) waiting.push(sent);
      else connection.send(nextRequest(), beginMs + sent * stepMs);
    }
    if (sent === allCalls) return;
    const waitMs = beginMs + sent * stepMs - now;
    if (waitMs > TIMER_SLACK_MS) setTimeout(sendDue, waitMs - TIMER_SLACK_MS);
    else setImmediate(sendDue);
  }

  beginMs = performance.now();
  const giveUp = setTimeout(
    () => end.reject(new Error(`${allCalls - answers} calls were not answered`)),
    order.leadMs + order.windowMs + ANSWERS_WITHIN_MS,
  );
  try {
    sendDue();
    await end.promise;
    measured.close();
  } finally {
    sent = allCalls;
    clearTimeout(giveUp);
    for (const connection of connections) connection.close();
  }
  return measured.report();
}

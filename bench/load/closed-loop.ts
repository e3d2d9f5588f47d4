import { type Connection, openConnections } from './connection.ts';
import type { LoadOrder, LoadReport } from './order.ts';
import { createRequests } from './requests.ts';
import { createMeasuredWindow } from './window.ts';

/**
 * Every connection always has one call under way. When the window has closed, the calls under way are let end, so that no variant has
 * to clean up after clients that left.
 *
 * @throws Error at the first fault: a run with one is void.
 */
export async function runClosedLoop(order: LoadOrder, callsMax: number): Promise<LoadReport> {
  const measured = createMeasuredWindow(order.processId, order.serverIds);
  const nextRequest = createRequests(order);
  const end = Promise.withResolvers<void>();
  // A fault may come before anybody waits; it is met all the same, below.
  end.promise.catch(() => undefined);
  let answers = 0;
  let underWay = 0;
  let isOver = false;

  function finish(): void {
    if (isOver) return;
    isOver = true;
    measured.close();
  }

  const connections = await openConnections(order, {
    onAnswer(connection: Connection, startedMs: number) {
      const now = performance.now();
      measured.count((now - startedMs) * 1_000);
      answers += 1;
      if (answers >= callsMax) finish();
      if (!isOver) connection.send(nextRequest(), now);
      else if (--underWay === 0) end.resolve();
    },
    onFault: (fault) => end.reject(new Error(`after ${answers} good answers: ${fault}`)),
  });
  if (order.leadMs === 0) measured.open();
  const opening = order.leadMs === 0 ? undefined : setTimeout(measured.open, order.leadMs);
  const closing = setTimeout(finish, order.leadMs + order.windowMs);
  for (const connection of connections) connection.send(nextRequest(), performance.now());
  underWay = connections.length;
  try {
    await end.promise;
  } finally {
    clearTimeout(opening);
    clearTimeout(closing);
    for (const connection of connections) connection.close();
  }
  return measured.report();
}

/** The load generator as a process of its own, the same one for every variant, so that all meet it equally warm. */
import { answerQuestions } from '../ask.ts';
import { runClosedLoop } from './closed-loop.ts';
import { runOpenLoop } from './open-loop.ts';
import type { LoadOrder, LoadReport } from './order.ts';

answerQuestions<LoadOrder>((order) => run(order));

function run(order: LoadOrder): Promise<LoadReport> {
  switch (order.pace.kind) {
    case 'closed':
      return runClosedLoop(order, order.pace.callsMax ?? Number.POSITIVE_INFINITY);
    case 'open':
      return runOpenLoop(order, order.pace.callsPerSecond);
  }
}

interface Waiting<Ask, Answer> {
  readonly ask: Ask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends what is asked together: what comes in one turn of the event loop, or while an earlier batch is under way, at most `most` at once, in
 * order. What an answer sets off in its turn goes with the next batch. So a command costs little each under load, and nothing waits for a
 * timer. A batch that fails is a failure of each in it.
 */
export function batchCalls<Ask, Answer>(
  most: number,
  send: (asks: readonly Ask[]) => Promise<readonly Answer[]>,
): (ask: Ask) => Promise<Answer> {
  let waiting: Waiting<Ask, Answer>[] = [];
  let isUnderWay = false;

  async function sendNext(): Promise<void> {
    const batch = waiting.slice(0, most);
    waiting = waiting.slice(most);
    try {
      const answers = await send(batch.map(({ ask }) => ask));
      for (const [place, { resolve }] of batch.entries()) resolve(answers[place] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    isUnderWay = waiting.length > 0;
    // A turn later: where calls wait already, a command for more of them is worth more than its answer's being early.
    if (isUnderWay) setImmediate(setImmediate, sendNext);
  }

  return (ask) =>
    new Promise((resolve, reject) => {
      waiting.push({ ask, resolve, reject });
      if (isUnderWay) return;
      isUnderWay = true;
      setImmediate(sendNext);
    });
}

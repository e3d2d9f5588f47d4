import type { ChildProcess } from 'node:child_process';

interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

/** Asks a child process one question at a time. Rejects with the child's error, when it ends, or after `withinMs`. */
export function ask<T>(child: ChildProcess, question: object, withinMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      act();
    };
    const onMessage = (answer: Answer) => {
      const { error } = answer;
      if (error === undefined) settle(() => resolve(answer.value as T));
      else settle(() => reject(new Error(error)));
    };
    const onExit = () => settle(() => reject(new Error('a measuring process ended unexpectedly')));
    const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${withinMs} ms`))), withinMs);
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.send(question);
  });
}

/** The child's end of `ask`. The process ends with its parent. */
export function answerQuestions<Question>(answer: (question: Question) => Promise<unknown>): void {
  process.on('message', (question: Question) => {
    answer(question).then(
      (value) => process.send?.({ value }),
      (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}

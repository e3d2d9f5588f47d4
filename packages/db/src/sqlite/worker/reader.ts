import { DbError } from '../../ports/db-error.ts';
import type { Operation } from '../protocol.ts';
import { openReadingConnection } from './connection.ts';

export type Answering = (error: unknown, value?: unknown) => void;

/** Lists and searches, on a connection that can write nothing. */
export function createReader(file: string): (operation: Operation, answer: Answering) => void {
  const connection = openReadingConnection(file);
  return (operation, answer) => {
    try {
      if (operation.op === 'query') return answer(undefined, connection.run(operation.query));
      if (operation.op === 'close') return answer(undefined, connection.close());
      answer(new DbError('invalid', `the reading worker does not know ${operation.op}`));
    } catch (error) {
      answer(error);
    }
  };
}

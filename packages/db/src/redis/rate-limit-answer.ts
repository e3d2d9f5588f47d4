import { unavailable } from './redis-failure.ts';

/** What the script of rate limits says of one limit of one call. */
export interface LimitAnswer {
  /** The counter of those without room has counted it. */
  readonly isShared: boolean;
  readonly isAllowed: boolean;
  readonly atMs: number;
  readonly remaining: number;
  readonly resetSeconds: number;
  /** Given ahead, and the time at which they are counted; absent when there are none. */
  readonly ahead?: { readonly permits: number; readonly atMs: number };
}

const MEMBERS = 5;
const AHEAD_MEMBERS = 3;

/** One answer for each of `count` limits, in their order. Throws `unavailable` for what the script does not answer. */
export function readLimitAnswers(answer: unknown, count: number): readonly LimitAnswer[] {
  const numbers = readNumbers(answer);
  const verdictsEnd = count * MEMBERS;
  if (numbers.length < verdictsEnd || (numbers.length - verdictsEnd) % AHEAD_MEMBERS !== 0) throw somethingElse();
  const given = new Map<number, { readonly permits: number; readonly atMs: number }>();
  for (let at = verdictsEnd; at < numbers.length; at += AHEAD_MEMBERS) {
    const [place = 0, permits = 0, atMs = 0] = numbers.slice(at, at + AHEAD_MEMBERS);
    given.set(place, { permits, atMs });
  }
  const answers: LimitAnswer[] = [];
  for (let place = 0; place < count; place += 1) {
    const [isShared, isAllowed, atMs = 0, remaining = 0, resetSeconds = 1] = numbers.slice(
      place * MEMBERS,
      (place + 1) * MEMBERS,
    );
    const ahead = given.get(place);
    const answered = { isShared: isShared === 1, isAllowed: isAllowed === 1, atMs, remaining, resetSeconds };
    answers.push(ahead === undefined ? answered : { ...answered, ahead });
  }
  return answers;
}

/** Numbers as words; what is none is not what the script answers. */
function readNumbers(answer: unknown): readonly number[] {
  if (typeof answer !== 'string') throw somethingElse();
  const numbers: number[] = [];
  for (const word of answer.split(' ')) {
    const number = Number(word);
    if (word === '' || Number.isNaN(number)) throw somethingElse();
    numbers.push(number);
  }
  return numbers;
}

function somethingElse(): Error {
  return unavailable('the script of rate limits answered something else');
}

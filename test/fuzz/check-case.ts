import { parseRawAnswer, type RawAnswer } from '@postern/testing';
import type { FuzzCase, FuzzOutcome } from './fuzz-case.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { idOf, type SeenRequest } from './fuzz-upstream.ts';

/** One answer that the client of a case got. */
interface Answer extends RawAnswer {
  readonly requestId: string;
  /** What the upstream saw of its call; undefined when nothing was sent. */
  readonly seen: SeenRequest | undefined;
}

/** @throws Error that says what is wrong with the outcome of a case. */
export async function checkCase(target: FuzzTarget, run: FuzzCase, outcome: FuzzOutcome): Promise<void> {
  const answers = await readAnswers(target, run, outcome);
  checkOrder(answers);
  checkBelonging(run, answers);
  checkSecrecy(target, answers, outcome.received);
  await checkSent(target, run);
  if (run.hostility === 'nobody' || run.hostility === 'client') checkIntact(run, answers, outcome.hasLeft);
  if (run.hostility === 'upstream') checkCanary(run, answers);
}

/** All of what came is HTTP/1.1 to the byte; only the last answer may be cut. */
async function readAnswers(target: FuzzTarget, run: FuzzCase, { received, hasLeft }: FuzzOutcome): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let rest = received; rest.length > 0; ) {
    const requestId = /^postern-request-id: (\S+)\r$/im.exec(rest.toString('latin1', 0, endOfHead(rest)))?.[1];
    const isToHead = requestId !== undefined && (await methodOf(target, requestId)) === 'HEAD';
    const parsed = parseRawAnswer(rest, isToHead) ?? untilClosed(rest);
    if (parsed === undefined) {
      // Cut off: by a broken upstream, or because the client has left.
      if (!hasLeft && run.hostility !== 'upstream' && run.hostility !== 'both')
        throw new Error('an answer was cut, and nobody had left');
      return answers;
    }
    rest = rest.subarray(parsed.byteLength);
    if (parsed.answer.status < 200) {
      if (parsed.answer.status !== 100) throw new Error(`an interim answer of status ${parsed.answer.status}`);
      continue;
    }
    if (requestId === undefined) throw new Error(`an answer without request id: ${parsed.answer.head}`);
    answers.push({ ...parsed.answer, requestId, seen: target.upstream.seen.get(requestId) });
    if (parsed.answer.headers['connection'] === 'close' && rest.length > 0)
      throw new Error('bytes behind the last answer');
  }
  return answers;
}

function endOfHead(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n\r\n');
  return end < 0 ? bytes.length : end + 2;
}

/** A client of HTTP/1.0 gets a body that the end of the connection ends. */
function untilClosed(bytes: Buffer): { answer: RawAnswer; byteLength: number } | undefined {
  const head = bytes.toString('latin1', 0, endOfHead(bytes));
  if (!/^connection: close\r$/im.test(head) || /^(content-length|transfer-encoding):/im.test(head)) return undefined;
  return parseRawAnswer(bytes, true);
}

/** A call is noted at its end, which may be a moment after its answer's. */
async function methodOf(target: FuzzTarget, requestId: string): Promise<string | undefined> {
  for (let round = 0; round < 2_000; round += 1) {
    const call = target.callOf(requestId);
    if (call !== undefined) return call.method;
    await new Promise((resolve) => setTimeout(resolve, round < 100 ? 0 : 5));
  }
  throw new Error(`the call ${requestId} was answered and never noted`);
}

/** Request ids ascend: answers come in the order of their requests, one for each. */
function checkOrder(answers: readonly Answer[]): void {
  answers.forEach(({ requestId }, index) => {
    const before = answers[index - 1]?.requestId;
    if (before !== undefined && before >= requestId) throw new Error(`answers out of order: ${before}, ${requestId}`);
  });
}

/** What an upstream said to one request is told to nobody else. */
function checkBelonging(run: FuzzCase, answers: readonly Answer[]): void {
  const known = new Set([...run.requests, run.canary].map(({ id }) => id));
  for (const { headers, seen, requestId, status } of answers) {
    const asked = headers['x-fuzz-request'];
    if (asked !== undefined && asked !== requestId && !run.behaviours.has(idOf(seen?.target ?? '') ?? ''))
      throw new Error(`the answer to ${asked} was given to ${requestId}`);
    const id = headers['x-fuzz-id'];
    // Its own upstream may say what it likes, by a head cut short also this.
    const own = run.behaviours.get(idOf(seen?.target ?? '') ?? '')?.pieces ?? [];
    if (id === 'forged' && !own.some((piece) => piece.includes('forged')))
      throw new Error(`a forged answer was given to ${requestId}`);
    if (id === undefined || !known.has(id)) continue;
    if (seen === undefined) throw new Error(`status ${status} of an upstream for a call that was never sent`);
    if (idOf(seen.target) !== id) throw new Error(`the answer to ${id} was given to ${seen.target}`);
  }
  const places = [...run.requests, run.canary].map(({ id }) =>
    answers.findIndex(({ headers }) => headers['x-fuzz-id'] === id),
  );
  const found = places.filter((place) => place >= 0);
  if (
    run.hostility !== 'both' &&
    run.hostility !== 'upstream' &&
    found.some((place, index) => place < (found[index - 1] ?? 0))
  )
    throw new Error(`answers in another order than their requests: ${places.join(' ')}`);
}

/** What only the gateway's inside has. */
const INTERNALS =
  /node:internal|node_modules|\.ts:\d|\n\s+at |ECONN|EPIPE|UND_ERR|HPE_|ERR_[A-Z]|undici|llhttp|127\.0\.0\.1/;

function checkSecrecy(target: FuzzTarget, answers: readonly Answer[], received: Buffer): void {
  const texts = [received.toString('latin1'), ...answers.map(({ body }) => body.toString('latin1'))];
  const base64 = Buffer.from(target.secret).toString('base64').replace(/=*$/, '');
  for (const text of texts) {
    if (text.includes(target.secret) || text.includes(base64)) throw new Error('the client sees the credential');
    if (text.includes(target.key)) throw new Error('the client sees the agent key');
    if (text.includes(`127.0.0.1:${target.upstream.port}`)) throw new Error('the client sees the upstream’s address');
  }
  for (const { headers, body } of answers) {
    if (headers['content-type'] !== 'application/problem+json') continue;
    const problem = body.toString();
    if (INTERNALS.test(problem)) throw new Error(`a refusal tells what only the operator may see: ${problem}`);
    if (problem.includes('"internal_error"')) throw new Error(`the gateway failed: ${problem}`);
  }
}

/** What reached the upstream was meant, noted and recorded, and carries no key of an agent. */
async function checkSent(target: FuzzTarget, run: FuzzCase): Promise<void> {
  const [complaint] = target.upstream.complaints;
  if (complaint !== undefined) throw new Error(`the upstream got ${complaint}`);
  const text = run.sent.toString('latin1');
  for (const seen of target.upstream.seen.values()) {
    const id = idOf(seen.target);
    if (![...run.requests, run.canary].some((request) => request.id === id)) continue;
    if (!text.includes(id as string)) throw new Error(`the upstream got what nobody sent: ${seen.head}`);
    if (seen.head.includes(target.key) || seen.body.includes(target.key))
      throw new Error('the upstream sees the agent key');
    if (!seen.head.includes(`Bearer ${target.secret}`)) throw new Error('a call went out without its credential');
    await methodOf(target, seen.requestId);
    if (target.callOf(seen.requestId)?.isRecorded === false)
      throw new Error(`a call went out and was not recorded: ${seen.head}`);
  }
}

/**
 * What was sent as it was meant is answered as it was asked, whatever follows behind it, up to an answer that ends the connection;
 * and where nobody is hostile, all of it.
 */
function checkIntact(run: FuzzCase, answers: readonly Answer[], hasLeft: boolean): void {
  const isPlain = run.hostility === 'nobody';
  const planned = isPlain ? [...run.requests, run.canary] : run.requests.slice(0, run.intact);
  for (const [index, request] of planned.entries()) {
    const answer = answers[index];
    if (answer === undefined && (hasLeft || answers.at(-1)?.headers['connection'] === 'close')) return;
    if (answer === undefined) throw new Error(`${request.id} was not answered`);
    const isOwn = answer.status === 200 && answer.headers['x-fuzz-id'] === request.id;
    if (request.isForwarded ? !isOwn : answer.headers['x-fuzz-id'] !== undefined)
      throw new Error(`${request.id} got ${answer.head} ${answer.body}`);
  }
  if (isPlain && answers.length > planned.length) throw new Error('more answers than requests');
}

/** A hostile upstream harms its own calls alone. */
function checkCanary({ canary }: FuzzCase, answers: readonly Answer[]): void {
  const answer = answers.find(({ seen }) => seen !== undefined && idOf(seen.target) === canary.id);
  if (answer !== undefined && answer.status === 200 && answer.headers['x-fuzz-id'] !== canary.id)
    throw new Error('the canary got somebody else’s answer');
}

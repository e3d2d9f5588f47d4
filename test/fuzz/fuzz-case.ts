import { connect } from 'node:net';
import type { FuzzTarget } from './fuzz-target.ts';
import { type Behaviour, plainAnswers } from './fuzz-upstream.ts';
import { mutateRequest, mutateResponse, split } from './mutate.ts';
import { type Random, randomOf } from './random.ts';
import { type PlannedRequest, planRequest } from './requests.ts';

/** Who of the two is hostile. */
export type Hostility = 'nobody' | 'client' | 'upstream' | 'both';

/** One case: all of it follows from seed and index. */
export interface FuzzCase {
  readonly index: number;
  readonly hostility: Hostility;
  readonly requests: readonly PlannedRequest[];
  /** The last request of the connection, never changed: only if all before it was understood as meant may it be answered. */
  readonly canary: PlannedRequest;
  /** How many of the requests, from the first on, were sent as they were meant. */
  readonly intact: number;
  readonly sent: Buffer;
  readonly pieces: readonly Buffer[];
  readonly behaviours: ReadonlyMap<string, Behaviour>;
}

export interface FuzzOutcome {
  readonly received: Buffer;
  /** The case ended its side first, since nothing more came: an answer may be cut by that. */
  readonly hasLeft: boolean;
}

export function planCase(target: FuzzTarget, seed: number, index: number, worker: number): FuzzCase {
  const random = randomOf(seed, index);
  const hostility = random.pick<Hostility>([
    'nobody',
    'client',
    'client',
    'client',
    'client',
    'upstream',
    'upstream',
    'both',
  ]);
  const isUpstreamHostile = hostility === 'upstream' || hostility === 'both';
  const caller = { name: target.integration(worker, isUpstreamHostile), key: target.key };
  const requests = Array.from({ length: 1 + random.below(4) }, (_, place) =>
    planRequest(random, idAt(seed, index, place), caller),
  );
  const canaryId = idAt(seed, index, 9);
  const canary: PlannedRequest = {
    id: canaryId,
    method: 'GET',
    isForwarded: true,
    bytes: `GET /to/${caller.name}/${canaryId} HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${caller.key}\r\nConnection: close\r\n\r\n`,
  };
  const plain = Buffer.from(requests.map(({ bytes }) => bytes).join(''), 'latin1');
  const isClientHostile = hostility === 'client' || hostility === 'both';
  const changed = isClientHostile ? mutateRequest(random, plain, 4) : plain;
  const sent = Buffer.concat([changed, Buffer.from(canary.bytes, 'latin1')]);
  const behaviours = new Map<string, Behaviour>();
  if (isUpstreamHostile) for (const { id } of requests) behaviours.set(id, planBehaviour(random, id, target.secret));
  const intact = countIntact(requests, sent);
  return { index, hostility, requests, canary, intact, sent, pieces: split(random, sent, 3), behaviours };
}

function countIntact(requests: readonly PlannedRequest[], sent: Buffer): number {
  let end = 0;
  const changed = requests.findIndex(({ bytes }) => {
    const start = end;
    end += bytes.length;
    return sent.toString('latin1', start, end) !== bytes;
  });
  return changed < 0 ? requests.length : changed;
}

/** No two ids are one changed digit apart: a changed answer must not look like somebody else's. */
function idAt(seed: number, index: number, place: number): string {
  const mark = (Math.imul(index * 16 + place + 1, 0x9e3779b1) ^ seed) >>> 0;
  return `c${index.toString(36)}-${mark.toString(36).padStart(7, '0')}${place}`;
}

function planBehaviour(random: Random, id: string, secret: string): Behaviour {
  const plain = random.pick(plainAnswers(id, secret));
  const answer = random.once(4) ? plain : mutateResponse(random, plain, 3);
  // Forged in the same write: later ones nobody can tell from the answer of the next request.
  const bytes = random.once(10) ? Buffer.concat([answer, FORGED]) : answer;
  const pieces = random.once(2) && !bytes.includes(FORGED) ? split(random, bytes, 4) : [bytes];
  return { pieces, ending: random.pick(['keep', 'keep', 'end', 'end', 'reset']) };
}

const FORGED = Buffer.from('HTTP/1.1 200 OK\r\nx-fuzz-id: forged\r\ncontent-length: 6\r\n\r\nforged');

/** How long nothing may come before the case gives up: an upstream's silence is waited for, a client's is not. */
const QUIET_MS: Record<Hostility, number> = { nobody: 8_000, client: 150, upstream: 8_000, both: 1_600 };
/** From then on, and in all. */
const CLOSE_MS_MAX = 8_000;

/** @throws Error when the gateway does not end the connection in time. */
export function sendCase(target: FuzzTarget, { hostility, pieces, behaviours }: FuzzCase): Promise<FuzzOutcome> {
  for (const [id, behaviour] of behaviours) target.upstream.behaviours.set(id, behaviour);
  const { promise, resolve, reject } = Promise.withResolvers<FuzzOutcome>();
  const socket = connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true });
  const chunks: Buffer[] = [];
  let hasLeft = false;
  const leave = () => {
    hasLeft = true;
    socket.end();
    timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection did not end ${CLOSE_MS_MAX} ms after the client had ended it`));
    }, CLOSE_MS_MAX);
  };
  let timer = setTimeout(leave, QUIET_MS[hostility]);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (hasLeft) return;
    clearTimeout(timer);
    timer = setTimeout(leave, QUIET_MS[hostility]);
  });
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    clearTimeout(timer);
    resolve({ received: Buffer.concat(chunks), hasLeft });
  });
  void writePieces(socket, pieces);
  return promise;
}

async function writePieces(socket: import('node:net').Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    await new Promise(setImmediate);
  }
}

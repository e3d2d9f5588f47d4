import { type Answer, call } from './http-client.ts';
import type { RunningGateway } from './start-gateway.ts';

/** What became of one call: its status, its error's code, or that nobody answered. */
export interface CallEnd {
  /** Path at the upstream; each call has its own. */
  readonly path: string;
  readonly end: string;
  readonly tookMs: number;
}

export interface BusyClients {
  readonly ends: readonly CallEnd[];
  /** Resolves when every call has its end. */
  stop(): Promise<readonly CallEnd[]>;
}

export interface BusyOptions {
  readonly gateways: readonly (() => RunningGateway)[];
  readonly key: string;
  readonly integration: string;
  /** Clients of each gateway, each with one call after the other. */
  readonly clients: number;
  /** Between two calls of one client. */
  readonly pauseMs: number;
}

/** Clients that write, each call under a key of its own, until they are stopped. */
export function startBusyClients(options: BusyOptions): BusyClients {
  const { gateways, key, integration, clients, pauseMs } = options;
  const ends: CallEnd[] = [];
  let isStopped = false;
  let count = 0;

  async function callOnAndOn(gateway: () => RunningGateway): Promise<void> {
    while (!isStopped) {
      count += 1;
      const path = `/busy-${count}`;
      const beganMs = performance.now();
      const end = await endOf(
        call(gateway().dataUrl, `/to/${integration}${path}`, {
          body: 'x',
          headers: { 'postern-key': key, 'idempotency-key': path },
        }),
      );
      ends.push({ path, end, tookMs: performance.now() - beganMs });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  const calling = gateways.flatMap((gateway) => Array.from({ length: clients }, () => callOnAndOn(gateway)));
  return {
    ends,
    async stop() {
      isStopped = true;
      await Promise.all(calling);
      return ends;
    },
  };
}

/** `200`, an error's code, or `cut` when the gateway is gone. */
export async function endOf(answering: Promise<Answer>): Promise<string> {
  try {
    const answer = await answering;
    return answer.status < 400 ? `${answer.status}` : answer.problem().code;
  } catch {
    return 'cut';
  }
}

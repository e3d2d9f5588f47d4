import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface StubRequest {
  readonly method: string;
  /** With its query, as it came. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Stub {
  readonly url: string;
  /** All requests so far, in order. */
  readonly requests: readonly StubRequest[];
  stop(): Promise<void>;
}

/** A server that plays the provider, on a free port of this machine. `answer` is asked once for each request. */
export async function startStub(answer: (request: StubRequest, response: ServerResponse) => void): Promise<Stub> {
  const requests: StubRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const { method = '', url: target = '', headers } = incoming;
    const request = { method, path: target, headers, body: await text(incoming) };
    requests.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A port that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const stub = await startStub((_request, response) => void response.end());
  await stub.stop();
  return Number(new URL(stub.url).port);
}

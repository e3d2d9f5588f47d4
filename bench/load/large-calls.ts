import { connect, type Socket } from 'node:net';
import { LARGE_ANSWER_BYTES } from '../message-bodies.ts';
import type { Variant } from '../variants/variant.ts';
import type { LoadReport } from './order.ts';
import { createRequests } from './requests.ts';
import { createMeasuredWindow } from './window.ts';

/**
 * Calls with answers of many megabytes, one after the other on one connection. The bytes are counted and not kept: what the reader
 * does is not to be what is measured.
 *
 * @throws Error at the first answer that is not 200 with all its bytes.
 */
export async function runLargeCalls(
  { port, path, tokens, processId }: Variant,
  { leadMs, windowMs }: { readonly leadMs: number; readonly windowMs: number },
): Promise<LoadReport> {
  const measured = createMeasuredWindow(processId);
  const pace = { kind: 'closed' } as const;
  const nextRequest = createRequests({ port, path, tokens, processId, leadMs, windowMs, pace, connections: 1 });
  const socket = await open(port);
  try {
    const beganMs = performance.now();
    while (performance.now() < beganMs + leadMs) await callOnce(socket, nextRequest());
    measured.open();
    const openedMs = performance.now();
    while (performance.now() < openedMs + windowMs) {
      const startedMs = performance.now();
      await callOnce(socket, nextRequest());
      measured.count((performance.now() - startedMs) * 1_000);
    }
    measured.close();
  } finally {
    socket.destroy();
  }
  return measured.report();
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function callOnce(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let head = '';
    let bodyBytes = -1;

    function settle(fault: string | undefined): void {
      socket.off('data', onData).off('close', onClose);
      if (fault === undefined) resolve();
      else reject(new Error(fault));
    }

    function onData(chunk: Buffer): void {
      if (bodyBytes >= 0) bodyBytes += chunk.length;
      else {
        head += chunk.toString('latin1');
        const headEnd = head.indexOf('\r\n\r\n');
        if (headEnd < 0) return;
        if (!head.startsWith('HTTP/1.1 200 ')) return settle(`answered ${head.slice(0, 40)}`);
        bodyBytes = head.length - headEnd - 4;
      }
      if (bodyBytes === LARGE_ANSWER_BYTES) settle(undefined);
      else if (bodyBytes > LARGE_ANSWER_BYTES) settle(`${bodyBytes} bytes of ${LARGE_ANSWER_BYTES}`);
    }

    const onClose = () => settle('the connection was closed');
    socket.on('data', onData).on('close', onClose);
    socket.write(request);
  });
}

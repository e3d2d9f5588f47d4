/**
 * The upstream of every variant, as a process: answers a POST of about 1 KB with about 1 KB of JSON, and 401 unless the credential
 * arrived that the forwarder must inject. Written on bare sockets because it must not be the bottleneck: node:http would spend
 * several times as much on each request as there is to do here, on cores that the measured program needs.
 *
 * It knows keep-alive and Content-Length, one request at a time on a connection; anything else it refuses loudly with 501.
 */
import { createServer, type Socket } from 'node:net';
import { answerBody, LARGE_PATH, largeAnswerBody } from './message-bodies.ts';

const HEAD_END = '\r\n\r\n';
const credential = `Bearer ${process.env['UPSTREAM_SECRET']}`;

const accepted = answer('200 OK', answerBody());
const refused = answer('401 Unauthorized', '{"error":"the credential did not arrive"}');
const unknown = answer('501 Not Implemented', '{"error":"only bodies with a content-length"}');

function answer(status: string, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

let large: Buffer | undefined;

/** Made when it is first asked for: most runs never do. */
function largeAnswer(): Buffer {
  large ??= answer('200 OK', largeAnswerBody());
  return large;
}

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  let received: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = received === undefined ? chunk : Buffer.concat([received, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    const head = headEnd < 0 ? '' : bytes.toString('latin1', 0, headEnd + 2);
    const bodyBytes = Number(field(head, 'content-length') ?? (head === '' ? Number.POSITIVE_INFINITY : Number.NaN));
    if (Number.isNaN(bodyBytes)) {
      socket.end(unknown);
      return;
    }
    if (bytes.length < headEnd + HEAD_END.length + bodyBytes) {
      received = bytes;
      return;
    }
    received = undefined;
    if (field(head, 'authorization') !== credential) socket.write(refused);
    else if (!head.startsWith(`POST ${LARGE_PATH} `)) socket.write(accepted);
    else socket.write(largeAnswer());
  });
  socket.on('error', () => socket.destroy());
}

/** The value of the only field of that name; a repeated one is none. */
function field(head: string, name: string): string | undefined {
  const found = [...head.matchAll(FIELDS[name] ?? /$^/g)];
  return found.length === 1 ? found[0]?.[1] : undefined;
}

const FIELDS: Readonly<Record<string, RegExp>> = {
  'content-length': /\r\ncontent-length: *(\d+)\r\n/gi,
  authorization: /\r\nauthorization: *([^\r]*)\r\n/gi,
};

const server = createServer(serve);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`ready port=${address.port}`);
});

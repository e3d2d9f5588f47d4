import { createServer } from 'node:http';
import {
  compileHeaderPolicy,
  createLane,
  createUndiciTransport,
  filterRequestHeaders,
  filterResponseHeaders,
  startExchange,
} from '@postern/proxy-runtime';

const up = Number(process.env['UP']);
const transport = createUndiciTransport();
const lane = createLane({
  transport,
  baseUrl: `http://127.0.0.1:${up}`,
  timeouts: { connectMs: 5000, firstByteMs: 30000, totalMs: 30000, idleMs: 60000, streamMs: 3600000 },
  limits: { responseBytes: 1e7, streamBytes: 1e8, concurrency: 1000 },
});
const policy = compileHeaderPolicy({});
const target = { poolKey: 'x', scheme: 'http' as const, host: '127.0.0.1', port: up, address: '127.0.0.1' };
createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (c) => chunks.push(c));
  req.on('end', () => {
    const headers = filterRequestHeaders(req.rawHeaders, policy);
    headers.push('host', `127.0.0.1:${up}`, 'authorization', 'Bearer upstream-secret');
    startExchange(
      lane,
      {
        target,
        request: {
          method: req.method!,
          pathAndQuery: req.url!,
          headers,
          body: chunks.length === 1 ? chunks[0] : Buffer.concat(chunks),
        },
      },
      {
        onHead(status, h) {
          res.writeHead(status, filterResponseHeaders(h, policy));
        },
        onData(c) {
          return res.write(c);
        },
        onEnd() {
          res.end();
        },
        onFailure(f) {
          console.error(f);
          res.destroy();
        },
      },
    );
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');

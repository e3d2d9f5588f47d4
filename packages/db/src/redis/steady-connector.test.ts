import { createServer } from 'node:net';
import { AbstractConnector } from 'ioredis';
import { expect, test } from 'vitest';
import { steadyConnectorOf } from './steady-connector.ts';

test('a socket that tells of a second error after the client has left it ends nothing', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const Connector = steadyConnectorOf(AbstractConnector);
  const connector = new Connector({ host: '127.0.0.1', port });
  const stream = await connector.connect();
  const [first, second] = [new Error('first'), new Error('second')];
  stream.emit('error', first);
  expect(() => stream.emit('error', second)).not.toThrow();
  expect(connector.firstError).toBe(first);
  stream.destroy();
  server.close();
});

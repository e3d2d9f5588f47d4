import { Readable } from 'node:stream';
import got, { HTTPError } from 'got';
import { expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { thingsGateway } from './things-gateway.ts';

const client = thingsGateway();
const http = () => got.extend({ prefixUrl: client.url, headers: { authorization: `Bearer ${client.key}` } });

const check = clientRow({
  client: { package: 'got' },
  baseUrl: '`prefixUrl: {gateway}/to/things`',
  agentKey: '`Authorization: Bearer`',
});

check('JSON', 'a thing, and a new one', async () => {
  expect(await http().get('things/one').json()).toEqual({ name: 'one' });
  expect(
    await http()
      .post('things', { json: { name: 'Grüße' } })
      .json(),
  ).toEqual({ name: 'Grüße' });
});

check('404', 'is the error HTTPError', async () => {
  const error = await http()
    .get('things/none')
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HTTPError);
  expect(error).toMatchObject({ response: { statusCode: 404 } });
});

check('429', 'is waited for as long as the upstream asks', async () => {
  await waitsForRetryAfter(client.stub, () => http().post('things', { json: {}, retry: { methods: ['POST'] } }));
  return 'waits, sends again with `retry.methods`';
});

test.each([429, 503] as const)('%i is told to a client that does not repeat', (statusCode) =>
  isSentOnce(client.stub, statusCode, () =>
    expect(http().post('things', { json: {} })).rejects.toMatchObject({ response: { statusCode } }),
  ),
);

check('Denied', 'is an error that holds the problem document', () =>
  isRefusedOnce(client, async () => {
    const error = (await http()
      .get('closed/door')
      .catch((reason: unknown) => reason)) as HTTPError;
    expect(error.response.statusCode).toBe(403);
    expect(JSON.parse(String(error.response.body))).toMatchObject({ code: 'denied' });
  }),
);

check('Streaming', 'an event passes before the next one is made', async () => {
  const release = client.stub.holdStreams();
  let text = '';
  for await (const piece of http().stream('events')) {
    text += piece;
    if (text.endsWith('data: second\n\n')) release();
  }
  expect(text).toBe('data: first\n\ndata: second\n\ndata: last\n\n');
});

const isTooLarge = (sending: Promise<unknown>) =>
  expect(sending).rejects.toMatchObject({ response: { statusCode: 413 } });

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(client, (padding) => http().put('files/f', { body: Buffer.alloc(padding) }), isTooLarge),
);

check('Upload limit', 'is kept to the byte when the length is not told before', () =>
  keepsTheLimit(
    client,
    (padding) => http().put('files/f', { body: Readable.from([Buffer.alloc(padding)]) }),
    isTooLarge,
  ),
);

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => (await http().post('things', { json: { name } }).json<{ name: string }>()).name),
);

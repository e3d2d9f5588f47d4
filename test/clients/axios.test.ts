import { Readable } from 'node:stream';
import axios, { AxiosError } from 'axios';
import { expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { thingsGateway } from './things-gateway.ts';

const client = thingsGateway();
const http = () => axios.create({ baseURL: client.url, headers: { authorization: `Bearer ${client.key}` } });

const check = clientRow({
  client: { package: 'axios' },
  baseUrl: '`baseURL: {gateway}/to/things`',
  agentKey: '`Authorization: Bearer`',
});

check('JSON', 'a thing, and a new one', async () => {
  expect((await http().get('/things/one')).data).toEqual({ name: 'one' });
  expect((await http().post('/things', { name: 'Grüße' })).data).toEqual({ name: 'Grüße' });
});

check('404', 'is an error with the document of the upstream', async () => {
  const error = await http()
    .get('/things/none')
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AxiosError);
  expect(error).toMatchObject({ status: 404, response: { data: { error: {} } } });
});

check('429', 'is told, with the time to wait', async () => {
  await isSentOnce(client.stub, 429, () =>
    expect(http().post('/things', {})).rejects.toMatchObject({
      status: 429,
      response: { headers: { 'retry-after': '1' } },
    }),
  );
  return 'is told';
});

test('503 is told', () =>
  isSentOnce(client.stub, 503, () => expect(http().post('/things', {})).rejects.toMatchObject({ status: 503 })));

check('Denied', 'is an error that holds the problem document', () =>
  isRefusedOnce(client, () =>
    expect(http().get('/closed/door')).rejects.toMatchObject({ status: 403, response: { data: { code: 'denied' } } }),
  ),
);

check('Streaming', 'an event passes before the next one is made', async () => {
  const release = client.stub.holdStreams();
  const { data } = await http().get<Readable>('/events', { responseType: 'stream' });
  let text = '';
  for await (const piece of data) {
    text += piece;
    if (text.endsWith('data: second\n\n')) release();
  }
  expect(text).toBe('data: first\n\ndata: second\n\ndata: last\n\n');
});

const isTooLarge = (sending: Promise<unknown>) => expect(sending).rejects.toMatchObject({ status: 413 });

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(client, (padding) => http().put('/files/f', Buffer.alloc(padding)), isTooLarge),
);

check('Upload limit', 'is kept to the byte when the length is not told before', () =>
  keepsTheLimit(client, (padding) => http().put('/files/f', Readable.from([Buffer.alloc(padding)])), isTooLarge),
);

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => (await http().post('/things', { name })).data.name),
);

import { startOpenAiUpstream } from '@postern/testing';
import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const API_KEY = 'sk-upstream-0123456789abcdef';

const client = clientGateway({
  name: 'openai',
  stub: () => startOpenAiUpstream({ apiKey: API_KEY, pieces: ['one ', 'two ', 'three'] }),
  basePath: '/v1',
  credential: { type: 'bearer', secret: 'upstream' },
  secret: API_KEY,
  denied: ['/v1/files/**'],
});
const openai = (maxRetries = 2) => new OpenAI({ baseURL: client.url, apiKey: client.key, maxRetries });
const ask = (content = 'hi', model = 'stub-1') =>
  openai().chat.completions.create({ model, messages: [{ role: 'user', content }] });

const check = clientRow({
  client: { package: 'openai' },
  baseUrl: '`baseURL: {gateway}/to/openai`',
  agentKey: '`apiKey`',
});

check('JSON', 'a completion and a list', async () => {
  expect((await ask()).choices[0]?.message.content).toBe('one two three');
  expect((await openai().models.list()).data[0]?.id).toBe('stub-1');
});

check('404', 'is the error NotFoundError', async () => {
  const error = await openai()
    .models.retrieve('none')
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(OpenAI.NotFoundError);
  expect(error).toMatchObject({ status: 404, code: 'unknown_url' });
});

check('429', 'is waited for as long as the upstream asks', () => waitsForRetryAfter(client.stub, () => ask()));

test.each([429, 503] as const)('%i is told to a client that does not repeat', async (status) => {
  await isSentOnce(client.stub, status, () =>
    expect(openai(0).chat.completions.create({ model: 'm', messages: [] })).rejects.toMatchObject({ status }),
  );
});

check('Denied', 'is an error with the code of the gateway', () =>
  isRefusedOnce(client, async () => {
    const error = await openai()
      .files.retrieve('file-1')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(error).toMatchObject({ status: 403, code: 'denied', type: 'postern' });
  }),
);

test('a key that is none is refused, also with repetitions allowed', async () => {
  const stranger = new OpenAI({ baseURL: client.url, apiKey: 'sk-mine' });
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
});

check('Streaming', 'an event passes before the next one is made', async () => {
  const release = client.stub.holdStreams();
  const pieces: string[] = [];
  for await (const chunk of await openai().chat.completions.create({ model: 'm', messages: [], stream: true })) {
    pieces.push(chunk.choices[0]?.delta.content ?? '');
    if (pieces.length === 5) release();
  }
  expect(pieces).toEqual(['', 'one ', 'two ', 'three', '']);
});

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(
    client,
    (padding) => ask('x'.repeat(padding)),
    (sending) => expect(sending).rejects.toMatchObject({ status: 413 }),
  ),
);

check('50 at once', 'have their own answers', () => answersEach(async (name) => (await ask('hi', name)).model));

import Anthropic from '@anthropic-ai/sdk';
import { startAnthropicUpstream } from '@postern/testing';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const API_KEY = 'sk-ant-upstream-0123456789abcdef';

const client = clientGateway({
  name: 'anthropic',
  stub: () => startAnthropicUpstream({ apiKey: API_KEY, pieces: ['one ', 'two ', 'three'] }),
  credential: { type: 'header', name: 'x-api-key', secret: 'upstream' },
  secret: API_KEY,
  denied: ['/v1/messages/batches/**'],
});
const anthropic = (maxRetries = 2) => new Anthropic({ baseURL: client.url, apiKey: client.key, maxRetries });
const question = (content = 'hi', model = 'claude-stub') => ({
  model,
  max_tokens: 64,
  messages: [{ role: 'user' as const, content }],
});

const check = clientRow({
  client: { package: '@anthropic-ai/sdk' },
  baseUrl: '`baseURL: {gateway}/to/anthropic`',
  agentKey: '`apiKey`',
});

check('JSON', 'a message, and a list page by page', async () => {
  const { content } = await anthropic().messages.create(question());
  expect(content).toEqual([{ type: 'text', text: 'one two three' }]);
  const models: string[] = [];
  for await (const { id } of anthropic().models.list({ limit: 2 })) models.push(id);
  expect(models).toEqual(['claude-a', 'claude-b', 'claude-c']);
});

check('404', 'is the error NotFoundError', async () => {
  await expect(anthropic().models.retrieve('none')).rejects.toBeInstanceOf(Anthropic.NotFoundError);
});

check('429', 'is waited for as long as the upstream asks', () =>
  waitsForRetryAfter(client.stub, () => anthropic().messages.create(question())),
);

test.each([429, 503] as const)('%i is told to a client that does not repeat', async (status) => {
  await isSentOnce(client.stub, status, () =>
    expect(anthropic(0).messages.create(question())).rejects.toMatchObject({ status }),
  );
});

check('Denied', 'is an error that holds the problem document', () =>
  isRefusedOnce(client, async () => {
    const error = await anthropic()
      .messages.batches.cancel('batch-1')
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Anthropic.PermissionDeniedError);
    expect(error).toMatchObject({ status: 403, error: { code: 'denied', error: { type: 'postern' } } });
  }),
);

check('Streaming', 'an event passes before the next one is made', async () => {
  const release = client.stub.holdStreams();
  const stream = anthropic().messages.stream(question());
  let text = '';
  stream.on('text', (piece) => {
    text += piece;
    if (text === 'one two three') release();
  });
  expect((await stream.finalMessage()).stop_reason).toBe('end_turn');
  expect(text).toBe('one two three');
});

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(
    client,
    (padding) => anthropic().messages.create(question('x'.repeat(padding))),
    (sending) => expect(sending).rejects.toMatchObject({ status: 413 }),
  ),
);

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => (await anthropic().messages.create(question('hi', name))).model),
);

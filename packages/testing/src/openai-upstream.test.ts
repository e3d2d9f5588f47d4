import OpenAI from 'openai';
import { expect, test } from 'vitest';
import { startOpenAiUpstream } from './openai-upstream.ts';

const question = { model: 'stub-1', messages: [{ role: 'user' as const, content: 'hi' }] };

test('the official client gets an answer', async () => {
  await using upstream = await startOpenAiUpstream({ apiKey: 'right' });
  const client = new OpenAI({ baseURL: upstream.baseUrl, apiKey: 'right', maxRetries: 0 });
  const completion = await client.chat.completions.create(question);
  expect(completion.choices[0]?.message.content).toBe('Hello from the stub');
  expect(upstream.requests).toHaveLength(1);
});

test('the official client gets a stream', async () => {
  await using upstream = await startOpenAiUpstream({ apiKey: 'right', pieces: ['one ', 'two'] });
  const client = new OpenAI({ baseURL: upstream.baseUrl, apiKey: 'right', maxRetries: 0 });
  const pieces: string[] = [];
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
    pieces.push(chunk.choices[0]?.delta.content ?? '');
  }
  expect(pieces).toEqual(['', 'one ', 'two', '']);
});

test('a wrong key is refused as OpenAI refuses it', async () => {
  await using upstream = await startOpenAiUpstream({ apiKey: 'right' });
  const client = new OpenAI({ baseURL: upstream.baseUrl, apiKey: 'wrong', maxRetries: 0 });
  await expect(client.chat.completions.create(question)).rejects.toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  });
});

import { expect, test } from 'vitest';
import { questionBody, SYSTEM_TEXT } from './scorer-question.ts';

const read = (body: Uint8Array) => JSON.parse(Buffer.from(body).toString()) as { messages: { content: string }[] };

test('a question is a fixed text, and the excerpt between two marks', () => {
  expect(read(questionBody({ model: 'small', excerpt: 'GET /x {}' }, '--- mark ---'))).toEqual({
    model: 'small',
    messages: [
      { role: 'system', content: SYSTEM_TEXT },
      { role: 'user', content: '--- mark ---\nGET /x {}\n--- mark ---' },
    ],
    response_format: { type: 'json_object' },
    stream: false,
  });
});

test('the mark of each question is another, and cannot be foreseen', () => {
  const marks = Array.from({ length: 50 }, () => {
    const [first, excerpt, last] =
      read(questionBody({ model: 'm', excerpt: 'x' })).messages[1]?.content.split('\n') ?? [];
    expect(first).toMatch(/^--- call [0-9a-f]{24} ---$/);
    expect([excerpt, last]).toEqual(['x', first]);
    return first;
  });
  expect(new Set(marks).size).toBe(50);
});

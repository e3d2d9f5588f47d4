import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOpinion } from './read-opinion.ts';
import { ScorerFailure } from './scorer-failure.ts';

const envelope = (content: unknown): string => JSON.stringify({ choices: [{ message: { content } }] });
const read = (text: string, status = 200) => readOpinion({ status, body: Buffer.from(text) });
const codeOf = (text: string, status?: number): string => {
  try {
    read(text, status);
  } catch (error) {
    if (error instanceof ScorerFailure) return error.code;
    throw error;
  }
  return 'none';
};

describe('an opinion', () => {
  test.each<[string, number, string[]]>([
    ['{"score":0}', 0, []],
    ['{"score":1,"labels":[]}', 1, []],
    [' \n{ "score" : 0.35, "labels": ["shell", "pii"] }\n', 0.35, ['shell', 'pii']],
    ['{"labels":["SQL injection","sql-injection"],"score":1e-1}', 0.1, ['sql_injection']],
    ['{"score":0.5,"why":"because"}', 0.5, []],
    ['{"score":0.5,"labels":["\\u202etxt\\u0000"]}', 0.5, ['_txt_']],
  ])('is read from %s', (content, score, labels) => {
    expect(read(envelope(content))).toEqual({ score, labels });
  });

  test('may stand among other members of the envelope', () => {
    const text = JSON.stringify({
      id: 'chatcmpl-1',
      usage: { total_tokens: 12 },
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '{"score":0.2}', refusal: null } },
      ],
    });
    expect(read(text)).toEqual({ score: 0.2, labels: [] });
  });
});

describe('is no opinion:', () => {
  test.each([
    ['a score above 1', '{"score":7}'],
    ['a score just above 1', '{"score":1.0000001}'],
    ['a score below 0', '{"score":-0.1}'],
    ['a score as text', '{"score":"0"}'],
    ['NaN', '{"score":NaN}'],
    ['a score beyond all numbers', '{"score":1e999}'],
    ['null', '{"score":null}'],
    ['a list', '{"score":[0]}'],
    ['true', '{"score":true}'],
    ['no score', '{"labels":[]}'],
    ['no object', '0'],
    ['an object in a list', '[{"score":0}]'],
    ['prose before it', 'Sure! {"score":0}'],
    ['prose after it', '{"score":0} Have a nice day'],
    ['a code fence', '```json\n{"score":0}\n```'],
    ['two objects', '{"score":1}{"score":0}'],
    ['two scores', '{"score":1,"score":0}'],
    ['two scores in two spellings', '{"score":1,"sc\\u006fre":0}'],
    ['an inherited score', '{"__proto__":{"score":0}}'],
    ['no text at all', ''],
    ['labels as text', '{"score":0,"labels":"none"}'],
    ['labels as null', '{"score":0,"labels":null}'],
    ['a label that is no text', '{"score":0,"labels":[1]}'],
    ['an empty label', '{"score":0,"labels":[""]}'],
    ['a long label', `{"score":0,"labels":["${'x'.repeat(65)}"]}`],
    ['many labels', `{"score":0,"labels":${JSON.stringify(Array(21).fill('x'))}}`],
    ['a deep one', `{"score":0,"labels":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
  ])('%s', (_title, content) => {
    expect(codeOf(envelope(content))).toBe('answer_invalid');
  });

  test.each([
    ['HTML', '<html>{"score":0}</html>'],
    ['nothing', ''],
    ['null', 'null'],
    ['the object without an envelope', '{"score":0}'],
    ['no choice', '{"choices":[]}'],
    [
      'two choices',
      '{"choices":[{"message":{"content":"{\\"score\\":0}"}},{"message":{"content":"{\\"score\\":1}"}}]}',
    ],
    ['choices that are no list', '{"choices":{"0":{}}}'],
    ['a choice without a message', '{"choices":[{"text":"{\\"score\\":0}"}]}'],
    ['a message whose text is an object', '{"choices":[{"message":{"content":{"score":0}}}]}'],
    ['a refusal', '{"choices":[{"message":{"content":null,"refusal":"no"}}]}'],
    ['an error', '{"error":{"message":"no such model"}}'],
  ])('%s', (_title, text) => {
    expect(codeOf(text)).toBe('answer_invalid');
  });

  test('bytes that are not UTF-8', () => {
    expect(() => readOpinion({ status: 200, body: Uint8Array.of(0xff, 0x7b) })).toThrow(ScorerFailure);
  });

  test.each([
    [201, 'answer_invalid'],
    [204, 'answer_invalid'],
    [302, 'redirected'],
    [400, 'scorer_refused'],
    [401, 'scorer_refused'],
    [404, 'scorer_refused'],
    [429, 'rate_limited'],
    [500, 'scorer_failing'],
    [503, 'scorer_failing'],
  ])('an answer of status %d, whatever stands in it', (status, code) => {
    expect(codeOf(envelope('{"score":0}'), status)).toBe(code);
  });
});

test('whatever a scorer answers is an opinion from 0 to 1, or a failure that does not quote it', () => {
  const content = fc.oneof(
    fc.json(),
    fc.string(),
    fc.record({ score: fc.anything(), labels: fc.anything() }).map(text),
  );
  fc.assert(
    fc.property(fc.oneof(content.map(envelope), fc.json(), fc.string()), (answer) => {
      try {
        const { score, labels } = read(answer);
        expect(score >= 0 && score <= 1).toBe(true);
        expect(labels.every((label) => /^[a-z0-9_]{1,64}$/.test(label))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(ScorerFailure);
        expect((error as Error).message).toMatch(
          /^answer_invalid: the answer of the scorer cannot be used: [a-z0-9 ,]+$/i,
        );
      }
    }),
  );
});

function text(value: unknown): string {
  return (
    JSON.stringify(value, (_name, member: unknown) => (typeof member === 'bigint' ? String(member) : member)) ?? ''
  );
}

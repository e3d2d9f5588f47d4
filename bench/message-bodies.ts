/** Both bodies are ASCII, so that characters are bytes. */
const BODY_BYTES = 1_024;

/** What the client posts: the shape of a call to a language model, 1,024 bytes. */
export function requestBody(): string {
  return padded((text) => JSON.stringify({ model: 'small-1', messages: [{ role: 'user', content: text }] }));
}

/** What the upstream answers, 1,024 bytes. */
export function answerBody(): string {
  return padded((text) =>
    JSON.stringify({ id: 'answer-1', choices: [{ message: { role: 'assistant', content: text } }] }),
  );
}

/** Calls to this path are answered with much: a list of records, as an export has them. */
export const LARGE_PATH = '/v1/chat/large';
export const LARGE_ANSWER_BYTES = 10_000_000;

export function largeAnswerBody(): string {
  const records: string[] = [];
  for (let id = 0, bytes = 0; bytes < LARGE_ANSWER_BYTES; id += 1) {
    const record = largeRecord(id);
    records.push(record);
    bytes += record.length + 1;
  }
  return `[${records.join(',').slice(0, LARGE_ANSWER_BYTES - 3)}"]`;
}

/** With what makes a search look twice: hexadecimal digits, base64, escapes of URLs and of JSON. */
function largeRecord(id: number): string {
  const digits = Math.imul(id + 1, 0x9e3779b1) >>> 0;
  return JSON.stringify({
    id,
    name: 'the small guarded gate through which people leave a castle',
    url: `https://api.example.com/v1/items/${id}?filter=a%20b%2Fc&page=2`,
    hash: digits.toString(16).padStart(8, '0').repeat(5),
    thumbnail: Buffer.from(`${digits} ${id} ${digits}`).toString('base64'),
    note: 'said "yes"\nand\\or left',
  });
}

function padded(document: (text: string) => string): string {
  const words = 'the small guarded gate through which people leave a castle ';
  return document(words.repeat(20).slice(0, BODY_BYTES - document('').length));
}

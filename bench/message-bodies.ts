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

function padded(document: (text: string) => string): string {
  const words = 'the small guarded gate through which people leave a castle ';
  return document(words.repeat(20).slice(0, BODY_BYTES - document('').length));
}

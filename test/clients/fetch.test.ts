import { ReadableStream } from 'node:stream/web';
import { fetch as undiciFetch } from 'undici';
import { describe, expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { type ClientSettings, clientRow } from './client-row.ts';
import { thingsGateway } from './things-gateway.ts';

const client = thingsGateway();

const FETCHES: [string, ClientSettings['client'], typeof fetch][] = [
  ['the fetch of Node', { program: 'fetch of Node' }, fetch],
  // Its types are of another version than Node's own.
  ['the fetch of undici', { package: 'undici', part: ' `fetch`' }, undiciFetch as unknown as typeof fetch],
];

describe.each(FETCHES)('%s', (_title, program, fetch) => {
  const get = (path: string) => fetch(`${client.url}${path}`, { headers: { authorization: `Bearer ${client.key}` } });
  const post = (path: string, body: string | ReadableStream | Uint8Array<ArrayBuffer>) =>
    fetch(`${client.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.key}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    });
  const check = clientRow({ client: program, baseUrl: '`{gateway}/to/things/…`', agentKey: '`Authorization: Bearer`' });

  check('JSON', 'a thing, and a new one', async () => {
    expect(await (await get('/things/one')).json()).toEqual({ name: 'one' });
    const made = await post('/things', JSON.stringify({ name: 'Grüße' }));
    expect(made.status).toBe(201);
    expect(await made.json()).toEqual({ name: 'Grüße' });
  });

  check('404', 'is passed with its document', async () => {
    const answer = await get('/things/none');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: { message: 'nothing at /things/none' } });
  });

  check('429', 'is told, with the time to wait', async () => {
    await isSentOnce(client.stub, 429, async () => {
      const answer = await post('/things', '{}');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1']);
    });
    return 'is told';
  });

  test('503 is told', () =>
    isSentOnce(client.stub, 503, async () => expect((await post('/things', '{}')).status).toBe(503)));

  check('Denied', 'is a problem document', () =>
    isRefusedOnce(client, async () => {
      const answer = await get('/closed/door');
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({ status: 403, code: 'denied', retryable: false });
    }),
  );

  check('Streaming', 'an event passes before the next one is made', async () => {
    const release = client.stub.holdStreams();
    const { body } = await get('/events');
    let text = '';
    for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.endsWith('data: second\n\n')) release();
    }
    expect(text).toBe('data: first\n\ndata: second\n\ndata: last\n\n');
  });

  const isTooLarge = async (sending: Promise<unknown>) => expect(await sending).toMatchObject({ status: 413 });

  check('Upload limit', 'is kept to the byte', () =>
    keepsTheLimit(client, (padding) => post('/files/f', new Uint8Array(padding)), isTooLarge),
  );

  check('Upload limit', 'is kept to the byte when the length is not told before', () =>
    keepsTheLimit(client, (padding) => post('/files/f', inPieces(padding)), isTooLarge),
  );

  check('50 at once', 'have their own answers', () =>
    answersEach(async (name) => {
      const { name: given } = (await (await post('/things', JSON.stringify({ name }))).json()) as { name: string };
      return given;
    }),
  );
});

function inPieces(bytes: number): ReadableStream {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 65_536);
      left -= size;
      if (size > 0) controller.enqueue(new Uint8Array(size));
      if (left === 0) controller.close();
    },
  });
}

import { expect, test } from 'vitest';
import { answerStubEvents, answerStubJson, demandHeader, startStubApi } from './stub-api.ts';

const KEY = `pst_abcdefghij_${'0'.repeat(49)}`;
const right = { authorization: 'Bearer right' };

const startStub = () =>
  startStubApi({
    credentialFault: demandHeader('authorization', 'Bearer right'),
    handler: ({ url }, response, hands) =>
      url === '/events' ? answerStubEvents(response, ['a', 'b', 'c'], hands) : answerStubJson(response, 200, { url }),
  });

test('the right credential is answered', async () => {
  await using stub = await startStub();
  expect(await (await fetch(`${stub.url}/x`, { headers: right })).json()).toEqual({ url: '/x' });
  expect([stub.faults, stub.arrivals.length]).toEqual([[], 1]);
});

test.each<[string, string, RequestInit, string]>([
  ['no credential', '/x', {}, 'GET /x: no authorization'],
  [
    'another',
    '/x',
    { headers: { authorization: 'Bearer wrong' } },
    'GET /x: another authorization than the provider knows',
  ],
  ['an agent key in the URL', `/${KEY}`, { headers: right }, `GET /${KEY}: an agent key in the head`],
  ['an agent key in a field', '/x', { headers: { ...right, 'x-other': KEY } }, 'GET /x: an agent key in the head'],
  [
    'an agent key in the body',
    '/x',
    { headers: right, method: 'POST', body: `<${KEY}>` },
    'POST /x: an agent key in the body',
  ],
])('%s is refused and noted', async (_what, path, request, fault) => {
  await using stub = await startStub();
  expect((await fetch(`${stub.url}${path}`, request)).status).toBe(401);
  expect(stub.faults).toEqual([fault]);
});

test('failures come in their order, as often as was said, and to the method that was said', async () => {
  await using stub = await startStub();
  stub.failNext({ status: 503, method: 'POST' });
  stub.failNext({ status: 429, headers: { 'retry-after': '7' }, count: 2 });
  const statuses: number[] = [];
  for (const method of ['GET', 'POST', 'POST', 'GET']) {
    statuses.push((await fetch(stub.url, { headers: right, method })).status);
  }
  expect(statuses).toEqual([429, 503, 429, 200]);
});

test('a held stream stops before its last piece', async () => {
  await using stub = await startStub();
  const release = stub.holdStreams();
  const { body } = await fetch(`${stub.url}/events`, { headers: right });
  let text = '';
  for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text === 'ab') release();
  }
  expect(text).toBe('abc');
});

import { startUpstream, type Upstream, type UpstreamHandler } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { outcomeOf } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;
let before: number;

/** As GitHub tells it. */
const template = {
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'things', methods: ['GET', 'POST'], paths: ['/things/**'], risk: 'low' }],
  limitSignals: [
    {
      statuses: [403],
      when: { header: 'x-ratelimit-remaining', equals: '0' },
      wait: { header: 'x-ratelimit-reset', as: 'epoch-seconds' },
    },
  ],
};

beforeAll(async () => {
  upstream = await startUpstream();
  const integrations = [integration('acme', upstream.url, { template: 'acme@1' }), integration('plain', upstream.url)];
  gateway = await startGateway({ config: configOf([coder], integrations, { templates: [template] }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => {
  before = upstream.requests.length;
});

/** Refuses once by a spent window that ends in so many seconds. */
function spendWindow(inSeconds: number): void {
  const refuse: UpstreamHandler = (_request, response) => {
    upstream.answerWith((_next, answer) => void answer.end('fine'));
    const reset = Math.floor(Date.now() / 1_000) + inSeconds;
    response.writeHead(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset }).end('slow down');
  };
  upstream.answerWith(refuse);
}

const send = (name: string, method = 'GET'): Promise<Answer> =>
  call(gateway.dataUrl, `/to/${name}/things/1`, { method, headers: { 'postern-key': coder.key } });
const requests = () => upstream.requests.length - before;

test("an answer that fits a template's limit signal is waited out and tried again", async () => {
  spendWindow(1);
  const answer = await send('acme');
  expect([answer.status, answer.text, requests()]).toEqual([200, 'fine', 2]);
  expect(await outcomeOf(gateway, answer.headers['postern-request-id'])).toMatchObject({ attempt: 2, status: 200 });
});

test.each([
  ['of an integration without the template', 'plain', 'GET', 0],
  ['to a method that must not be sent twice', 'acme', 'POST', 0],
  ['whose window ends after the deadline', 'acme', 'GET', 3_600],
])('it is passed on as it came: %s', async (_title, name, method, inSeconds) => {
  spendWindow(inSeconds);
  const answer = await send(name, method);
  expect([answer.status, answer.text, requests()]).toEqual([403, 'slow down', 1]);
  expect(answer.headers).toMatchObject({ 'x-ratelimit-remaining': '0' });
});

import { startSlackUpstream } from '@postern/testing';
import { type ConversationsListResponse, LogLevel, WebClient } from '@slack/web-api';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const TOKEN = 'xoxb-upstream-0123456789abcdef';

const client = clientGateway({
  name: 'slack',
  stub: () => startSlackUpstream({ token: TOKEN, channels: ['a', 'b', 'c', 'd', 'e'] }),
  credential: { type: 'bearer', secret: 'upstream' },
  secret: TOKEN,
  denied: ['/api/admin.teams.list'],
});
const slack = (more: object = {}) =>
  new WebClient(client.key, { slackApiUrl: `${client.url}/api/`, logLevel: LogLevel.ERROR, ...more });
const quick = { retryConfig: { retries: 1, minTimeout: 1, maxTimeout: 1 } };
const once = { retryConfig: { retries: 0 }, rejectRateLimitedCalls: true };

const check = clientRow({
  client: { package: '@slack/web-api' },
  baseUrl: '`slackApiUrl: {gateway}/to/slack/api/`',
  agentKey: 'the token',
});

check('JSON', 'a call and a message', async () => {
  expect(await slack().auth.test()).toMatchObject({ ok: true, user: 'bot' });
  expect((await slack().chat.postMessage({ channel: 'C1', text: 'Grüße' })).channel).toBe('C1');
});

check('Besides', 'pages follow the cursor', async () => {
  const names: unknown[] = [];
  for await (const page of slack().paginate('conversations.list', { limit: 2 })) {
    names.push(...(page as ConversationsListResponse).channels!.map(({ name }) => name));
  }
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  return 'pagination by cursor';
});

check('404', 'is the error of the client', async () => {
  await expect(slack(once).apiCall('gone')).rejects.toMatchObject({ statusCode: 404 });
});

check('429', 'is waited for as long as the upstream asks', () =>
  waitsForRetryAfter(client.stub, () => slack(quick).chat.postMessage({ channel: 'C1', text: 'again' })),
);

test('429 is told to a client that does not repeat', async () => {
  await isSentOnce(client.stub, 429, () =>
    expect(slack(once).auth.test()).rejects.toMatchObject({ code: 'slack_webapi_rate_limited_error', retryAfter: 1 }),
  );
});

test('503 is told to a client that does not repeat', async () => {
  await isSentOnce(client.stub, 503, () => expect(slack(once).auth.test()).rejects.toMatchObject({ statusCode: 503 }));
});

// The client repeats every status but 200, by default ten times within half an hour.
check('Denied', 'is the error of the client', async () => {
  await isRefusedOnce(client, () => expect(slack(once).admin.teams.list()).rejects.toMatchObject({ statusCode: 403 }));
  return '403, one attempt with `retries: 0`';
});

check('Upload limit', 'is kept to the byte', async () => {
  await keepsTheLimit(
    client,
    (padding) => slack(once).chat.postMessage({ channel: 'C1', text: `t${'x'.repeat(padding)}` }),
    (sending) => expect(sending).rejects.toMatchObject({ statusCode: 413 }),
  );
  return '413, one attempt with `retries: 0`';
});

check('50 at once', 'have their own answers', () =>
  answersEach(async (channel) => (await slack().chat.postMessage({ channel, text: 'hi' })).channel),
);

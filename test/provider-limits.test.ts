import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** What each provider says when it is enough, as its documentation shows it; and what looks alike and is no limit. */
interface Limit {
  readonly template: string;
  readonly says: string;
  readonly status: number;
  /** Made when the answer is: times are from then. */
  readonly fields: () => Record<string, string>;
  /** Requests that reach the provider: 2 when the gateway waited and tried again. */
  readonly requests: 1 | 2;
  readonly path?: string;
}

const seconds = (count: number) => String(Math.ceil(Date.now() / 1000) + count);
const milliseconds = (count: number) => String(Date.now() + count);
const none = () => ({});
const retryAfter = () => ({ 'retry-after': '1' });

const LIMITS: readonly Limit[] = [
  {
    template: 'github@1',
    says: 'that the primary limit is used up',
    status: 403,
    fields: () => ({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': seconds(1) }),
    requests: 2,
  },
  { template: 'github@1', says: 'that a secondary limit is met', status: 403, fields: retryAfter, requests: 2 },
  {
    template: 'github@1',
    says: 'that something is forbidden',
    status: 403,
    fields: () => ({ 'x-ratelimit-remaining': '4990', 'x-ratelimit-reset': seconds(1) }),
    requests: 1,
  },
  {
    template: 'gitlab@1',
    says: 'that the minute is used up',
    status: 429,
    fields: () => ({ 'ratelimit-remaining': '0', 'ratelimit-reset': seconds(1) }),
    requests: 2,
  },
  {
    template: 'gitlab@1',
    says: 'that a project was exported too often, with the reset of another limit',
    status: 429,
    fields: () => ({ 'ratelimit-remaining': '595', 'ratelimit-reset': seconds(1) }),
    requests: 1,
  },
  { template: 'slack@1', says: 'ratelimited', status: 429, fields: retryAfter, requests: 2, path: '/api/auth.test' },
  { template: 'stripe@1', says: 'that it is too much, not how long', status: 429, fields: none, requests: 1 },
  {
    template: 'openai@1',
    says: 'that the requests are used up',
    status: 429,
    fields: () => ({ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '800ms' }),
    requests: 2,
  },
  {
    template: 'openai@1',
    says: 'that the tokens are used up',
    status: 429,
    fields: () => ({ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '0m1.2s' }),
    requests: 2,
  },
  {
    template: 'openai@1',
    says: 'that there is no credit',
    status: 429,
    fields: () => ({ 'x-ratelimit-remaining-requests': '9999', 'x-ratelimit-reset-requests': '6ms' }),
    requests: 1,
  },
  { template: 'anthropic@1', says: 'rate_limit_error', status: 429, fields: retryAfter, requests: 2 },
  { template: 'anthropic@1', says: 'overloaded_error, not how long', status: 529, fields: none, requests: 1 },
  { template: 'gmail@1', says: 'rateLimitExceeded in the body', status: 403, fields: none, requests: 1 },
  { template: 'google-calendar@1', says: 'too many requests', status: 429, fields: retryAfter, requests: 2 },
  { template: 'jira@1', says: 'that it has too much to do', status: 503, fields: retryAfter, requests: 2 },
  {
    template: 'linear@1',
    says: 'RATELIMITED',
    status: 400,
    fields: () => ({ 'x-ratelimit-requests-remaining': '0', 'x-ratelimit-requests-reset': milliseconds(900) }),
    requests: 2,
  },
  {
    template: 'linear@1',
    says: 'that the query is wrong',
    status: 400,
    fields: () => ({ 'x-ratelimit-requests-remaining': '1499', 'x-ratelimit-requests-reset': milliseconds(900) }),
    requests: 1,
  },
  { template: 'notion@1', says: 'service_overload', status: 529, fields: retryAfter, requests: 2 },
  {
    template: 'pagerduty@1',
    says: 'that the minute is used up',
    status: 429,
    fields: () => ({ 'ratelimit-remaining': '0', 'ratelimit-reset': '1' }),
    requests: 2,
  },
  { template: 'twilio@1', says: '20429', status: 429, fields: none, requests: 1 },
  {
    template: 'sendgrid@1',
    says: 'too many requests',
    status: 429,
    fields: () => ({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': seconds(1) }),
    requests: 2,
  },
  { template: 'aws-s3@1', says: 'SlowDown', status: 503, fields: none, requests: 2 },
  { template: 'json-api@1', says: 'too many requests', status: 429, fields: retryAfter, requests: 2 },
];

const coder = newAgent('coder');
/** How often each case was asked for, by its place. */
const asked = new Map<number, number>();
let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream({
    handler: (request, response) => {
      const place = Number(request.headers['x-case']);
      const before = asked.get(place) ?? 0;
      asked.set(place, before + 1);
      const limit = LIMITS[place];
      if (limit === undefined || before > 0) response.end('{}');
      else response.writeHead(limit.status, limit.fields()).end('{}');
    },
  });
  // One integration a case: each has a pause and a budget of its own.
  const integrations = LIMITS.map(({ template }, place) =>
    integration(`case-${place}`, upstream.url, { template, retry: { baseMs: 10, maxMs: 20 } }),
  );
  gateway = await startGateway({ config: configOf([coder], integrations) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

test.concurrent.each(LIMITS.map((limit, place) => ({ ...limit, place })))(
  '$template: of an answer that says $says come $requests requests',
  async ({ status, requests, place, path = '/' }) => {
    const answer = await call(gateway.dataUrl, `/to/case-${place}${path}`, {
      headers: { 'postern-key': coder.key, 'x-case': String(place) },
    });
    expect(answer.status).toBe(requests === 2 ? 200 : status);
    expect(asked.get(place)).toBe(requests);
  },
);

import { startGithubUpstream } from '@postern/testing';
import { Octokit, RequestError } from 'octokit';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const TOKEN = 'ghp_upstream0123456789abcdef';
const REPOSITORY = { owner: 'o', repo: 'r' };
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const client = clientGateway({
  name: 'github',
  stub: () => startGithubUpstream({ token: TOKEN, issues: 7 }),
  credential: { type: 'bearer', secret: 'upstream' },
  secret: TOKEN,
  denied: ['/orgs/**'],
});
const octokit = (more: object = {}) =>
  new Octokit({ baseUrl: client.url, auth: client.key, log: silent, throttle: { enabled: false }, ...more });
const once = () => octokit({ retry: { enabled: false } });

const check = clientRow({
  client: { package: 'octokit' },
  baseUrl: '`baseUrl: {gateway}/to/github`',
  agentKey: '`auth`',
});

check('JSON', 'a repository, and a new issue', async () => {
  expect((await octokit().rest.repos.get(REPOSITORY)).data.full_name).toBe('o/r');
  expect((await octokit().rest.issues.create({ ...REPOSITORY, title: 'Grüße' })).data.title).toBe('Grüße');
});

check('Besides', 'pagination follows Link headers through the gateway', async () => {
  const { attemptsOf, stub } = client;
  const numbers: number[] = [];
  const pages = await attemptsOf(async () => {
    const issues = octokit().paginate.iterator('GET /repos/{owner}/{repo}/issues', { ...REPOSITORY, per_page: 3 });
    for await (const { data } of issues) numbers.push(...data.map(({ number }) => number));
  });
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(pages).toEqual({ atGateway: 3, atStub: 3 });
  expect(stub.requests.slice(-3).map(({ url }) => url)).toEqual([
    '/repos/o/r/issues?per_page=3',
    '/repos/o/r/issues?per_page=3&page=2',
    '/repos/o/r/issues?per_page=3&page=3',
  ]);
  return 'pagination by `Link`';
});

check('404', 'is an error with the document of the upstream', async () => {
  const missing = octokit().rest.repos.get({ owner: 'o', repo: 'none' });
  await expect(missing).rejects.toMatchObject({ status: 404, response: { data: { message: 'Not Found' } } });
});

check('429', 'is waited for as long as the upstream asks', async () => {
  const patient = octokit({ throttle: waiting });
  await waitsForRetryAfter(client.stub, () => patient.rest.issues.create({ ...REPOSITORY, title: 'again' }));
  return 'waits, sends again with `throttle`';
});
const waiting = { onRateLimit: () => true, onSecondaryRateLimit: () => true, fallbackSecondaryRateRetryAfter: 1 };

test.each([429, 503] as const)('%i is told to a client that does not repeat', async (status) => {
  await isSentOnce(client.stub, status, () =>
    expect(once().rest.issues.create({ ...REPOSITORY, title: 'once' })).rejects.toMatchObject({ status }),
  );
});

check('Denied', 'is an error that holds the problem document', () =>
  isRefusedOnce(client, async () => {
    const error = await octokit({ throttle: waiting })
      .rest.orgs.get({ org: 'o' })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RequestError);
    expect(error).toMatchObject({ status: 403 });
    expect((error as RequestError).response?.headers['content-type']).toBe('application/problem+json');
  }),
);

check('Upload limit', 'is kept to the byte', async () => {
  // The client repeats 413 three times unless it is told that this is in vain.
  const patient = octokit({ retry: { doNotRetry: [400, 401, 403, 404, 410, 413, 422, 451] } });
  await keepsTheLimit(
    client,
    (padding) => patient.rest.git.createBlob({ ...REPOSITORY, content: 'x'.repeat(padding) }),
    (sending) => expect(sending).rejects.toMatchObject({ status: 413 }),
  );
  return '413, one attempt with `retry.doNotRetry`';
});

check('50 at once', 'have their own answers', () =>
  answersEach(async (title) => (await octokit().rest.issues.create({ ...REPOSITORY, title })).data.title),
);

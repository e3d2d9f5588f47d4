/**
 * Shows the example in front of a server that plays GitHub: `npx node examples/github/run.ts`. Ends with 1 when something is not as the
 * README says.
 */
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { generateAgentKey } from '@postern/auth';
import { type ShownCall, showCall } from '../show-call.ts';
import { startGateway } from '../start-gateway.ts';
import { startStub } from '../start-stub.ts';

/** What GitHub says next; then it answers again. */
const limits: ((response: ServerResponse) => void)[] = [];

const inSeconds = (seconds: number) => String(Math.ceil(Date.now() / 1000) + seconds);
const usedUp = (seconds: number) => (response: ServerResponse) =>
  void response
    .writeHead(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': inSeconds(seconds) })
    .end('{"message":"API rate limit exceeded"}');
const secondary = (seconds: number) => (response: ServerResponse) =>
  void response
    .writeHead(403, { 'x-ratelimit-remaining': '4990', 'retry-after': String(seconds) })
    .end('{"message":"You have exceeded a secondary rate limit"}');
const forbidden = (response: ServerResponse) =>
  void response.writeHead(403, { 'x-ratelimit-remaining': '4990' }).end('{"message":"Must have admin rights"}');

const github = await startStub((request, response) => {
  const limit = limits.shift();
  if (limit !== undefined) return limit(response);
  response.writeHead(request.headers.authorization === 'Bearer ghp_example' ? 200 : 401).end('{}');
});
const coder = generateAgentKey().key;
const file = await readFile(new URL('postern.yaml', import.meta.url), 'utf8');
const config = file.replace(
  'baseUrl: https://api.github.com',
  `baseUrl: ${github.url}
    network: { unsafeAllowAddresses: [127.0.0.1/32], unsafeAllowCleartextCredentials: true }`,
);
const gateway = await startGateway(config, { GITHUB_TOKEN: 'ghp_example', CODER_KEY: coder });

const headers = { authorization: `Bearer ${coder}` };
const repository = `${gateway.dataUrl}/to/github/repos/octo-org/app`;

/** A call, and how many requests of it must reach GitHub. */
async function show(
  reaching: number,
  call: Omit<ShownCall, 'url' | 'headers'> & { readonly path: string },
): Promise<void> {
  const before = github.requests.length;
  await showCall({ ...call, url: repository + call.path, headers });
  const reached = github.requests.length - before;
  if (reached !== reaching) throw new Error(`${reached} requests reached GitHub, not ${reaching}`);
}

const answered = { by: 'provider' } as const;
const later = { by: 'provider', atLeastMs: 900 } as const;
try {
  await show(1, { title: 'A read', path: '/issues', expect: answered });

  limits.push(usedUp(1));
  await show(2, { title: 'A read, the limit used up for a second', path: '/issues', expect: later });
  limits.push(secondary(1));
  await show(2, { title: 'A read, a secondary limit of a second', path: '/pulls', expect: later });
  limits.push(usedUp(3600));
  await show(1, {
    title: 'A read, the limit used up for an hour',
    path: '/issues',
    expect: { ...answered, status: 403 },
  });
  limits.push(forbidden);
  await show(1, {
    title: 'A read that is not allowed, which is no limit',
    path: '/issues',
    expect: { ...answered, status: 403 },
  });

  const issue = { title: 'It does not start', body: 'After an update.' };
  await show(1, { title: 'A new issue', method: 'POST', path: '/issues', body: issue, expect: answered });
  limits.push(secondary(1));
  await show(1, {
    title: 'A new issue, a secondary limit: never sent twice',
    method: 'POST',
    path: '/issues',
    body: issue,
    expect: { ...answered, status: 403 },
  });

  const commit = { message: 'Mend it', content: 'bWVuZGVk' };
  await show(1, {
    title: 'A changed file',
    method: 'PUT',
    path: '/contents/src%2Fmain.c',
    body: commit,
    expect: answered,
  });
  for (const path of ['/contents/.github/workflows/ci.yml', '/contents/%2egithub%2Fworkflows%2Fci.yml']) {
    await show(0, { title: 'A changed workflow', method: 'PUT', path, body: commit, expect: { by: 'refused' } });
  }
  await show(0, { title: 'A merge', method: 'PUT', path: '/pulls/7/merge', body: {}, expect: { by: 'asks' } });
  await show(0, { title: 'A deleted repository', method: 'DELETE', path: '', expect: { by: 'refused' } });
} finally {
  await gateway.stop();
  await github.stop();
}

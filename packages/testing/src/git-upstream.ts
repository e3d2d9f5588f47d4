import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { answerStubJson, demandHeader, type StubApi, startStubApi } from './stub-api.ts';
import { temporaryFolder } from './temporary-folder.ts';
import type { RecordedRequest } from './upstream.ts';

const run = promisify(execFile);

export interface GitUpstreamOptions {
  /** `Authorization` must be `Basic` with these. */
  readonly username: string;
  readonly password: string;
}

export interface GitUpstream extends StubApi {
  /** Makes a bare repository, from a stream of `git fast-import` when there is one. */
  createRepository(name: string, content?: string): Promise<void>;
  /** Asks git in a repository, without the gateway; gives its output. */
  git(repository: string, ...parameters: readonly string[]): Promise<string>;
}

/** The settings of whoever runs the tests must not decide them. */
export const GIT_ENVIRONMENT = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' };

/** Git's own smart HTTP server, `git http-backend`, behind Basic authentication. Repositories lie in a folder that goes with it. */
export async function startGitUpstream({ username, password }: GitUpstreamOptions): Promise<GitUpstream> {
  const folder = await temporaryFolder();
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const stub = await startStubApi({
    credentialFault: demandHeader('authorization', `Basic ${basic}`),
    handler: (request, response) => answerByBackend(folder.path, request, response),
  });
  const close = async () => {
    await stub.close();
    await folder.remove();
  };
  return Object.assign(Object.create(stub) as StubApi, {
    createRepository: async (name: string, content?: string) => {
      const repository = path.join(folder.path, name);
      const environment = { ...process.env, ...GIT_ENVIRONMENT };
      await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', repository], { env: environment });
      if (content === undefined) return;
      const child = spawn('git', ['fast-import', '--quiet'], { cwd: repository, env: environment });
      child.stdin.end(content);
      const [code] = (await once(child, 'close')) as [number | null];
      if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
    },
    git: async (repository: string, ...parameters: readonly string[]) => {
      const options = { cwd: path.join(folder.path, repository), env: { ...process.env, ...GIT_ENVIRONMENT } };
      return (await run('git', parameters, options)).stdout;
    },
    close,
    [Symbol.asyncDispose]: close,
  });
}

/** One request through the Common Gateway Interface (RFC 3875), as `git help http-backend` describes it. */
async function answerByBackend(root: string, request: RecordedRequest, response: ServerResponse): Promise<void> {
  const { pathname, search } = new URL(request.url, 'http://stub');
  const { headers } = request;
  const child = spawn('git', ['http-backend'], {
    env: {
      ...{ PATH: process.env['PATH'], ...GIT_ENVIRONMENT },
      ...{ GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', REMOTE_USER: 'stub' },
      ...{ PATH_INFO: decodeURIComponent(pathname), QUERY_STRING: search.slice(1), REQUEST_METHOD: request.method },
      CONTENT_TYPE: headers['content-type'] ?? '',
      CONTENT_LENGTH: String(request.body.byteLength),
      ...(headers['content-encoding'] === undefined ? {} : { HTTP_CONTENT_ENCODING: headers['content-encoding'] }),
      ...(headers['git-protocol'] === undefined ? {} : { GIT_PROTOCOL: headers['git-protocol'] }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin?.on('error', () => {});
  child.stdin?.end(request.body);
  await passAnswer(child, response);
}

async function passAnswer(child: ChildProcess, response: ServerResponse): Promise<void> {
  let head = Buffer.alloc(0);
  let inBody = false;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    if (inBody) {
      response.write(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    inBody = true;
    const fields = head.subarray(0, end).toString('latin1').split('\r\n');
    const pairs = fields.map((field) => field.split(/: */, 2) as [string, string]);
    const status = pairs.find(([name]) => name.toLowerCase() === 'status')?.[1] ?? '200';
    const passed = pairs.filter(([name]) => name.toLowerCase() !== 'status').flat();
    response.writeHead(Number(status.slice(0, 3)), passed).write(head.subarray(end + 4));
  }
  if (!inBody) return answerStubJson(response, 500, { error: { message: 'git http-backend gave no answer' } });
  response.end();
}

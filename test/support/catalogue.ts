import { PROBLEM_TYPE_BASE } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { expect } from 'vitest';
import { type Answer, call } from './http-client.ts';
import { integration, newAgent } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

const coder = newAgent('coder');
const guest = newAgent('guest');
const SECRET = 'sealed-0123456789abcdef';

/** A gateway with actions and rules of every outcome, in front of one upstream that says what it was asked. */
export interface Catalogue extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly gateway: RunningGateway;
  /** May read, write some, delete with approval. */
  readonly coder: typeof coder;
  /** No rule speaks for it. */
  readonly guest: typeof guest;
  /** The credential of the integration `api`. */
  readonly secret: string;
  /** Makes the upstream say again what it was asked. */
  answerAsAtFirst(): void;
  /** A document to a data-plane path as `coder`. */
  post(path: string, document: unknown, headers?: object): Promise<Answer>;
}

export async function startCatalogue(): Promise<Catalogue> {
  const upstream = await startUpstream();
  const actions = [
    { name: 'items.read', methods: ['GET', 'HEAD'], paths: ['/v1/items/**'], risk: 'low' },
    { name: 'items.write', methods: ['POST'], paths: ['/v1/items'], risk: 'medium' },
    { name: 'admin', methods: ['POST'], paths: ['/v1/admin/**'] },
  ];
  const config = {
    version: 1,
    secrets: { token: { value: SECRET } },
    integrations: [
      integration('api', `${upstream.url}/v1`, { actions, credential: { type: 'bearer', secret: 'token' } }),
      integration('off', upstream.url, { disabled: true }),
      integration('elsewhere', upstream.url, { environments: ['prod'] }),
      integration('nobodys', upstream.url),
    ],
    agents: [
      { name: 'coder', key: coder.key, roles: ['developer'], trust: 'medium', environment: 'dev' },
      { name: 'guest', key: guest.key },
    ],
    rules: [
      {
        id: 'reads',
        effect: 'allow',
        agents: ['role:developer'],
        integrations: ['api', 'off', 'elsewhere'],
        methods: ['GET', 'HEAD', 'OPTIONS'],
      },
      { id: 'writes', effect: 'allow', agents: ['coder'], integrations: ['api'], actions: ['items.write'] },
      { id: 'rule-asks', effect: 'require_approval', agents: ['coder'], integrations: ['api'], methods: ['DELETE'] },
      { id: 'rule-never', effect: 'deny', hard: true, integrations: ['api'], paths: ['/v1/admin/**'] },
    ],
  };
  const gateway = await startGateway({ config });
  const answerAsAtFirst = () =>
    upstream.answerWith((request, response) => void response.end(`${request.method} ${request.url}`));
  answerAsAtFirst();
  return {
    upstream,
    gateway,
    coder,
    guest,
    secret: SECRET,
    answerAsAtFirst,
    post: (path, document, headers = {}) =>
      call(gateway.dataUrl, path, {
        headers: { 'postern-key': coder.key, 'content-type': 'application/json', ...headers },
        body: typeof document === 'string' ? document : JSON.stringify(document),
      }),
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await upstream.close();
    },
  };
}

/** A problem document with exactly the members of the specification, section 4. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  const { issues, decision, retryAfterSeconds, ...problem } = answer.problem() as unknown as Record<string, unknown>;
  expect(answer.status).toBe(status);
  expect(problem).toEqual({
    type: PROBLEM_TYPE_BASE + code,
    title: expect.stringMatching(/\w/),
    status,
    detail: expect.stringMatching(/\w/),
    code,
    requestId: answer.headers['postern-request-id'],
    retryable: expect.any(Boolean),
  });
  expect(answer.headers['postern-request-id']).toBeTruthy();
}

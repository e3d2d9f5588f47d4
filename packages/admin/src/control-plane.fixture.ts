import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { generateAdminToken, keyDigest } from '@postern/auth';
import { createDbRepositories, createSqliteCallJournal, openSqlite, runInTransaction } from '@postern/db';
import type { AdminRole, CallJournal, DbRepositories } from '@postern/db/ports';
import { temporaryFolder } from '@postern/testing';
import { createVault, deriveKeys, generateMasterKey, parseKeyRing, type Vault } from '@postern/vault';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterAll, beforeAll } from 'vitest';
import { createAdminServer } from './admin-server.ts';
import type { AdminDependencies } from './dependencies.ts';
import { createEventHub } from './events/event-hub.ts';

/** A control plane over a real SQLite file, for tests. */
export interface TestControlPlane extends AsyncDisposable {
  readonly server: FastifyInstance;
  readonly dependencies: AdminDependencies;
  readonly repositories: DbRepositories;
  readonly vault: Vault;
  /** The bootstrap owner's token. */
  readonly ownerToken: string;
  /** Tenants that `onChange` was called with, in order. */
  readonly changed: string[];
  /** Lines of the log, as JSON text. */
  readonly logged: string[];
  /** Milliseconds; tests move it on. */
  readonly clock: { now: number };
  /** As the data plane writes; closed by whoever opens it. */
  openJournal(): CallJournal;
  call(request: TestRequest): Promise<TestAnswer>;
  createAdmin(name: string, role: AdminRole, tenant?: string, groups?: readonly string[]): Promise<string>;
}

export interface TestRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS' | 'HEAD';
  readonly url: string;
  /** Absent: the owner's; null: none. */
  readonly token?: string | null;
  readonly tenant?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** The parsed JSON body, else the text. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  readonly body: any;
  readonly text: string;
}

export async function startTestControlPlane(overrides: Partial<AdminDependencies> = {}): Promise<TestControlPlane> {
  const folder = await temporaryFolder();
  const clock = { now: Date.parse('2026-03-01T12:00:00Z') };
  const now = () => clock.now;
  const dbClient = await openSqlite({ file: path.join(folder.path, 'postern.db'), now });
  const repositories = createDbRepositories(dbClient, { now, newId: () => randomUUID() });
  const keyRing = parseKeyRing(generateMasterKey());
  const vault = createVault({ keyRing });
  const adminTokenHmacKeys = atLeastOne(deriveKeys(keyRing, 'admin-token'));
  const ownerToken = generateAdminToken();
  const changed: string[] = [];
  const logged: string[] = [];
  const log = (members: object, message: string) => logged.push(JSON.stringify({ message, ...members }));
  const dependencies: AdminDependencies = {
    repositories,
    runInTransaction: (operation, context) => runInTransaction(dbClient, operation, context),
    vault,
    agentKeyHmacKeys: atLeastOne(deriveKeys(keyRing, 'agent-key')),
    adminTokenHmacKeys,
    bootstrapToken: keyDigest(ownerToken, adminTokenHmacKeys[0]),
    now,
    onChange: (tenant) => changed.push(tenant),
    ownAddresses: {
      mayLeaveLoopback: false,
      gatewayListeners: () => [{ address: '127.0.0.1', port: 8080 }],
      follow: async () => undefined,
      faults: () => [],
    },
    events: createEventHub(),
    logger: { info: log, warn: log, error: log },
    readiness: async () => ({ ready: true, dependencies: { database: 'up' } }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'postern_up 1\n' }),
    unsafeAddressCeiling: ['127.0.0.0/8'],
    ...overrides,
  };
  await repositories.tenants.create('default');
  const server = createAdminServer(dependencies);
  await server.ready();
  const call = (request: TestRequest) => inject(server, request, ownerToken);
  return {
    server,
    dependencies,
    repositories,
    vault,
    ownerToken,
    changed,
    logged,
    clock,
    openJournal: () => createSqliteCallJournal(dbClient, { node: 'one', boot: randomUUID(), now }),
    call,
    async createAdmin(name, role, tenant, groups = []) {
      const body = { name, role, groups, ...(tenant === undefined ? {} : { tenant }) };
      const answer = await call({ method: 'POST', url: '/v1/admins', body });
      if (answer.status !== 201) throw new Error(`no administrator was made: ${answer.text}`);
      return answer.body.token;
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await dbClient.close();
      await folder.remove();
    },
  };
}

/** One control plane for a file's tables of refusals, which leave nothing behind. */
export function sharedTestControlPlane(overrides: Partial<AdminDependencies> = {}): () => TestControlPlane {
  let plane: TestControlPlane | undefined;
  beforeAll(async () => {
    plane = await startTestControlPlane(overrides);
  });
  afterAll(async () => {
    await plane?.[Symbol.asyncDispose]();
  });
  return () => {
    if (plane === undefined) throw new Error('the control plane is there within tests alone');
    return plane;
  };
}

async function inject(server: FastifyInstance, request: TestRequest, ownerToken: string): Promise<TestAnswer> {
  const { method = 'GET', url, token = ownerToken, tenant, headers = {}, body } = request;
  const answer = await server.inject({
    method,
    url,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(tenant === undefined ? {} : { 'postern-tenant': tenant }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: body as InjectOptions['payload'] }),
  });
  const isJson = /json/.test(String(answer.headers['content-type'] ?? ''));
  return {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string>,
    body: isJson && answer.payload !== '' ? JSON.parse(answer.payload) : answer.payload,
    text: answer.payload,
  };
}

function atLeastOne<T>(list: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error('the list is empty');
  return [first, ...rest];
}

import type { Entry, KeyScope, Rule, TemplateInput } from '@postern/schemas';
import type {
  AdminEdit,
  ApiAdmin,
  ApiAgent,
  ApiAgentKey,
  ApiIntegration,
  ApiNodes,
  ApiPage,
  ApiReadiness,
  ApiRule,
  ApiSecret,
  ApiSecretVersion,
  ApiStats,
  ApiTemplate,
  ApplyAnswer,
  EventQuery,
  IssuedKey,
  NewAdmin,
  NewAgent,
  NewIntegration,
  PageQuery,
  SecretValue,
} from './api-objects.ts';
import { approvalCalls, grantCalls } from './approvals.ts';
import { claimCalls } from './claims.ts';
import { allPages, createCollection, type EditOptions, readJson, writeJson } from './collections.ts';
import { type ApiEvent, type WatchOptions, watchEvents } from './events.ts';
import { notificationCalls } from './notifications.ts';
import { policyTrialCalls } from './policy-trials.ts';
import { policyVersionCalls } from './policy-versions.ts';
import { type AdminClientOptions, createSend, type Send } from './send.ts';
import { tenantCalls } from './tenants.ts';

export type AdminClient = ReturnType<typeof createAdminClient>;

/**
 * A typed client of the control plane. Every method rejects with `ApiProblem` when the control plane refuses, and with
 * `ApiUnreachable` when there is no answer of one. Nothing is retried.
 */
export function createAdminClient(options: AdminClientOptions) {
  const send = createSend(options);
  return {
    tenants: tenantCalls(send),
    admins: adminCalls(send),
    agents: agentCalls(send),
    integrations: {
      ...createCollection<ApiIntegration, NewIntegration>(send, '/v1/integrations'),
      update: updateCall<ApiIntegration, NewIntegration>(send, '/v1/integrations'),
    },
    templates: templateCalls(send),
    secrets: secretCalls(send),
    rules: ruleCalls(send),
    audit: auditCalls(send),
    approvals: approvalCalls(send),
    grants: grantCalls(send),
    claims: claimCalls(send),
    notifications: notificationCalls(send),
    policies: policyVersionCalls(send),
    policyTrials: policyTrialCalls(send),
    ...configurationCalls(send),
    events: (watch: WatchOptions = {}): AsyncGenerator<ApiEvent> => watchEvents(send, watch),
    stats: () => readJson<ApiStats>(send, { path: '/v1/stats' }),
    /** For instance owners. */
    nodes: () => readJson<ApiNodes>(send, { path: '/v1/nodes' }),
    /** Also answers when the gateway is not ready. */
    async readiness(): Promise<ApiReadiness> {
      const response = await send({ method: 'GET', path: '/readyz', alsoTakes: [503] });
      return (await response.json()) as ApiReadiness;
    },
  };
}

function adminCalls(send: Send) {
  const list = (query: PageQuery & { readonly tenant?: string } = {}) => {
    return readJson<ApiPage<ApiAdmin>>(send, { path: '/v1/admins', query: { ...query } });
  };
  const one = (name: string) => `/v1/admins/${encodeURIComponent(name)}`;
  return {
    list,
    all: () => allPages(list),
    get: (name: string) => readJson<ApiAdmin>(send, { path: one(name) }),
    /** `token` is told this once. */
    create: (admin: NewAdmin) => {
      return writeJson<ApiAdmin & { readonly token: string }>(send, 'POST', '/v1/admins', { body: admin });
    },
    update: (name: string, edit: AdminEdit) => writeJson<ApiAdmin>(send, 'PATCH', one(name), { body: edit }),
    async revoke(name: string): Promise<void> {
      await send({ method: 'DELETE', path: one(name) });
    },
  };
}

function agentCalls(send: Send) {
  const keysOf = (id: string) => `/v1/agents/${encodeURIComponent(id)}/keys`;
  return {
    ...createCollection<ApiAgent, NewAgent>(send, '/v1/agents'),
    update: updateCall<ApiAgent, NewAgent>(send, '/v1/agents'),
    async listKeys(id: string): Promise<readonly ApiAgentKey[]> {
      return (await readJson<{ items: ApiAgentKey[] }>(send, { path: keysOf(id) })).items;
    },
    issueKey: (id: string, key: { readonly expiresAt?: string; readonly scopes?: readonly KeyScope[] } = {}) => {
      return writeJson<IssuedKey>(send, 'POST', keysOf(id), { body: key });
    },
    async revokeKey(id: string, keyId: string): Promise<void> {
      await send({ method: 'DELETE', path: `${keysOf(id)}/${encodeURIComponent(keyId)}` });
    },
  };
}

function templateCalls(send: Send) {
  const list = (query: PageQuery = {}) =>
    readJson<ApiPage<ApiTemplate>>(send, { path: '/v1/templates', query: { ...query } });
  const one = (name: string) => `/v1/templates/${encodeURIComponent(name)}`;
  const versions = (name: string, query: PageQuery = {}) =>
    readJson<ApiPage<ApiTemplate>>(send, { path: `${one(name)}/versions`, query: { ...query } });
  return {
    /** The latest version of each, own and built-in. */
    list,
    all: () => allPages(list),
    /** The latest version of a name, or that of `name@version`. */
    get: (nameOrId: string) => readJson<ApiTemplate>(send, { path: one(nameOrId) }),
    /** Newest first. */
    versions,
    allVersions: (name: string) => allPages((query) => versions(name, query)),
    version: (name: string, version: number) =>
      readJson<ApiTemplate>(send, { path: `${one(name)}/versions/${version}` }),
    /** For good; the same again changes nothing. */
    publish: (template: TemplateInput) => writeJson<ApiTemplate>(send, 'POST', '/v1/templates', { body: template }),
  };
}

function secretCalls(send: Send) {
  const list = (query: PageQuery = {}) =>
    readJson<ApiPage<ApiSecret>>(send, { path: '/v1/secrets', query: { ...query } });
  const one = (name: string) => `/v1/secrets/${encodeURIComponent(name)}`;
  return {
    list,
    all: () => allPages(list),
    get: (name: string) => readJson<ApiSecret>(send, { path: one(name) }),
    /** Writes a new version and makes it active. */
    put: (name: string, secret: SecretValue, { ifMatch }: EditOptions = {}) => {
      return writeJson<ApiSecret>(send, 'PUT', one(name), { body: secret, ifMatch });
    },
    async versions(name: string): Promise<readonly ApiSecretVersion[]> {
      return (await readJson<{ items: ApiSecretVersion[] }>(send, { path: `${one(name)}/versions` })).items;
    },
    activate: (name: string, version: number) => {
      return writeJson<ApiSecret>(send, 'POST', `${one(name)}/versions/${version}/activate`);
    },
  };
}

function ruleCalls(send: Send) {
  const { remove: _remove, ...calls } = createCollection<ApiRule, Rule>(send, '/v1/rules');
  return {
    ...calls,
    /** Rules are never deleted. */
    disable: (id: string, { ifMatch }: EditOptions = {}) => {
      return writeJson<ApiRule>(send, 'POST', `/v1/rules/${encodeURIComponent(id)}/disable`, { ifMatch });
    },
  };
}

function auditCalls(send: Send) {
  const events = (query: EventQuery = {}) => {
    return readJson<ApiPage<Entry>>(send, { path: '/v1/audit/events', query: { ...query } });
  };
  return {
    /** Newest first. */
    events,
    allEvents: (query: Omit<EventQuery, keyof PageQuery> = {}) => allPages((page) => events({ ...query, ...page })),
    event: (id: string) => readJson<Entry>(send, { path: `/v1/audit/events/${encodeURIComponent(id)}` }),
  };
}

function configurationCalls(send: Send) {
  return {
    /** `text` is YAML or JSON in which no value is a reference. */
    async apply(text: string, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<ApplyAnswer> {
      const request = { method: 'POST', path: '/v1/apply', body: text, contentType: 'application/yaml' } as const;
      const response = await send({ ...request, query: { dryRun } });
      return (await response.json()) as ApplyAnswer;
    },
    async export(format: 'yaml' | 'json' = 'yaml'): Promise<string> {
      return await (await send({ method: 'GET', path: '/v1/export', accept: `application/${format}` })).text();
    },
    configSchema: () => readJson<Record<string, unknown>>(send, { path: '/v1/config-schema' }),
  };
}

/** Changes the members given; null takes one back to its default (RFC 7396). */
function updateCall<T, New>(send: Send, path: string) {
  type Patch = { readonly [K in keyof New]?: New[K] | null };
  return (id: string, patch: Patch, { ifMatch }: EditOptions = {}) => {
    return writeJson<T>(send, 'PATCH', `${path}/${encodeURIComponent(id)}`, { body: patch, ifMatch });
  };
}

import type { Upstream } from '@postern/testing';
import { vi } from 'vitest';
import { control } from './audit-log.ts';
import { call } from './http-client.ts';
import { HARDLY_RISKY, integration, LOOPBACK } from './scenario.ts';
import type { RunningGateway } from './start-gateway.ts';

/** One thing of every kind that a tenant can have, each under names that no other tenant's have. */
export interface TenantThings {
  readonly tenant: string;
  readonly agentKey: string;
  /** Own address of its integration, `http://127.0.0.1:…`. */
  readonly ownAddress: string;
  readonly queuedCall: string;
  /** Request id of a call that was sent. */
  readonly requestId: string;
  /** What goes in place of the parameters of paths that begin so: ids and names. */
  readonly values: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Values that nobody else may ever be told. */
  readonly told: readonly string[];
}

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

/** Makes the tenant and all its things as the instance's owner, and waits until nothing of them moves any more. */
export async function makeTenantThings(
  gateway: RunningGateway,
  tenant: string,
  { upstream, sink }: { readonly upstream: Upstream; readonly sink: Upstream },
): Promise<TenantThings> {
  const ask = async (method: string, path: string, body?: unknown) => {
    const answer = await control(gateway, method, path, { tenant, body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json();
  };
  await control(gateway, 'POST', '/v1/tenants', { body: { name: tenant } });
  await ask('POST', '/v1/apply', documentOf(tenant, upstream, sink));
  await ask('PUT', `/v1/secrets/${tenant}-secret`, { value: `${tenant}-second-value` });
  const template = { ...TEMPLATE, name: `${tenant}-template` };
  await ask('POST', '/v1/templates', template);
  const { key: agentKey } = await ask('POST', `/v1/agents/${tenant}-agent/keys`, {});
  const agent = await ask('GET', `/v1/agents/${tenant}-agent`);
  const { items: keys } = await ask('GET', `/v1/agents/${tenant}-agent/keys`);
  const api = await ask('GET', `/v1/integrations/${tenant}-api`);
  const listed = await call(gateway.dataUrl, '/v1/integrations', { headers: { 'postern-key': agentKey } });
  const draft = await ask('POST', '/v1/policies', { rules: [], note: `${tenant}-note` });

  const send = (path: string, headers: Record<string, string> = {}) =>
    call(gateway.dataUrl, `/to/${tenant}-api${path}`, {
      method: 'POST',
      headers: { 'postern-key': agentKey, ...headers },
      body: `${tenant}-body`,
    });
  const held = async (path: string) => (await send(path)).problem().approval?.id ?? '';
  const pending = await held('/hold/1');
  const approved = await held('/hold/2');
  await ask('POST', `/v1/approvals/${approved}/approve`, {});
  const sent = await send('/sent', { 'idempotency-key': `${tenant}-key` });
  if (sent.status !== 200) throw new Error(`a call of ${tenant}: ${sent.status} ${sent.text}`);
  const later = await send('/later', { 'idempotency-key': `${tenant}-later`, prefer: 'respond-async' });
  const queuedCall = later.json().call.id as string;
  await vi.waitFor(async () => {
    const { text } = await call(gateway.dataUrl, `/v1/calls/${queuedCall}`, { headers: { 'postern-key': agentKey } });
    if (!text.includes('"done"')) throw new Error(`the queued call of ${tenant} is not done: ${text}`);
  }, 10_000);

  const { items: grants } = await ask('GET', '/v1/grants');
  const { items: claims } = await ask('GET', '/v1/claims');
  const { items: endpoints } = await ask('GET', '/v1/notifications');
  const messages = await vi.waitFor(async () => {
    const { items } = await ask('GET', '/v1/notifications/messages');
    const isQuiet = items.length > 0 && items.every(({ state }: { state: string }) => state === 'delivered');
    if (!isQuiet) throw new Error(`messages of ${tenant} are under way`);
    return items as readonly { id: string }[];
  }, 10_000);
  const requestId = sent.headers['postern-request-id'] as string;
  const entries = await vi.waitFor(async () => {
    const { items } = await ask('GET', `/v1/audit/events?requestId=${requestId}`);
    if (items.length < 2) throw new Error(`the call of ${tenant} is not in the log yet`);
    return items as readonly { id: string }[];
  }, 10_000);
  const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id).slice(0, 1);
  return {
    tenant,
    agentKey,
    ownAddress: `http://${listed.json().items[0].listen}`,
    queuedCall,
    requestId,
    values: {
      '/v1/agents/{id}': { id: [agent.id, agent.name], keyId: ids(keys) },
      '/v1/integrations/{id}': { id: [api.id, api.name] },
      '/v1/templates/{name}': { name: [template.name, `${template.name}@1`], version: ['1'] },
      '/v1/secrets/{name}': { name: [`${tenant}-secret`], version: ['1'] },
      '/v1/rules/{id}': { id: [`${tenant}-rule`] },
      '/v1/policies/{id}': { id: [draft.id] },
      '/v1/approvals/{id}': { id: [pending, approved] },
      '/v1/grants/{id}': { id: ids(grants) },
      '/v1/claims/{id}': { id: ids(claims) },
      '/v1/notifications/{id}': { id: ids(endpoints) },
      '/v1/notifications/messages/{id}': { id: ids(messages) },
      '/v1/audit/events/{id}': { id: ids(entries) },
    },
    told: [
      agent.id,
      api.id,
      draft.id,
      pending,
      approved,
      queuedCall,
      ...[grants, claims, endpoints, messages].flatMap(ids),
    ],
  };
}

function documentOf(tenant: string, upstream: Upstream, sink: Upstream): object {
  return {
    version: 1,
    tenant,
    risk: HARDLY_RISKY,
    secrets: {
      [`${tenant}-secret`]: { value: `${tenant}-first-value` },
      [`${tenant}-webhook`]: { value: WEBHOOK_SECRET },
    },
    integrations: [
      integration(`${tenant}-api`, upstream.url, {
        credential: { type: 'bearer', secret: `${tenant}-secret` },
        listen: '127.0.0.1:0',
      }),
    ],
    agents: [{ name: `${tenant}-agent`, owner: `${tenant}-person` }],
    rules: [
      { id: `${tenant}-rule`, effect: 'allow' },
      { id: `${tenant}-hold`, effect: 'require_approval', paths: ['/hold/**'] },
    ],
    notifications: [
      {
        url: `${sink.url}/${tenant}`,
        secret: `${tenant}-webhook`,
        events: ['approval.created', 'approval.decided'],
        unsafeAllowAddresses: LOOPBACK.unsafeAllowAddresses,
      },
    ],
  };
}

const TEMPLATE = {
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
};

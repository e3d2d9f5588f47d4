import type { Entry } from '@postern/schemas';
import { vi } from 'vitest';
import { call } from './http-client.ts';
import type { RunningGateway } from './start-gateway.ts';

type Filter = Readonly<Record<string, string>>;

/** All entries that fit the filter, oldest first, through the control plane's API. */
export async function auditEvents(gateway: RunningGateway, filter: Filter = {}): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ ...filter, limit: '100', ...(cursor === undefined ? {} : { cursor }) });
    const page = await control(gateway, 'GET', `/v1/audit/events?${query}`);
    if (page.status !== 200) throw new Error(`audit events: ${page.status} ${page.text}`);
    const document = page.json() as { items: Entry[]; nextCursor?: string };
    entries.push(...document.items);
    cursor = document.nextCursor;
  } while (cursor !== undefined);
  return entries.sort((left, right) => left.seq - right.seq);
}

/** Entries ride in batches behind the answer: asks until `count` of them are there. */
export function eventualAuditEvents(gateway: RunningGateway, filter: Filter, count = 1): Promise<readonly Entry[]> {
  return vi.waitFor(
    async () => {
      const entries = await auditEvents(gateway, filter);
      if (entries.length < count) throw new Error(`${entries.length} of ${count} entries: ${JSON.stringify(entries)}`);
      return entries;
    },
    { timeout: 5_000, interval: 20 },
  );
}

/** The outcome entry of one call. */
export async function outcomeOf(gateway: RunningGateway, requestId: string | undefined): Promise<Entry> {
  const entries = await eventualAuditEvents(gateway, { requestId: requestId ?? '', type: 'outcome' });
  if (entries.length !== 1) throw new Error(`${entries.length} outcomes for one call`);
  return entries[0] as Entry;
}

/** The outcome entry of the one call to this URL: for calls whose request id the client never learns. */
export async function outcomeAt(gateway: RunningGateway, url: string): Promise<Entry> {
  return vi.waitFor(
    async () => {
      const outcomes = (await auditEvents(gateway, { type: 'outcome' })).filter((entry) => entry.url === url);
      if (outcomes.length !== 1) throw new Error(`${outcomes.length} outcomes for ${url}`);
      return outcomes[0] as Entry;
    },
    { timeout: 5_000, interval: 20 },
  );
}

/** A request to the control plane as the bootstrap owner, or with the token given. */
export function control(
  gateway: RunningGateway,
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly token?: string; readonly tenant?: string } = {},
): ReturnType<typeof call> {
  const { body, token = gateway.adminToken, tenant } = options;
  return call(gateway.adminUrl, path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(tenant === undefined ? {} : { 'postern-tenant': tenant }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

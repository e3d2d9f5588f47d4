import type { EntryDraft } from '@postern/schemas';
import type { TestControlPlane } from '../control-plane.fixture.ts';

export const READS = { id: 'reads', effect: 'allow', integrations: ['api'], methods: ['GET'] };

/** A tenant with one agent and one integration, that allows reads. */
export async function prepare(plane: TestControlPlane, rules: object[] = [READS], tenant = 'default'): Promise<void> {
  const document = {
    version: 1,
    tenant,
    integrations: [
      {
        name: 'api',
        baseUrl: 'https://api.example.com/v1',
        actions: [{ name: 'upload', methods: ['PUT'], paths: ['/v1/**'], body: 'stream' }],
      },
    ],
    agents: [{ name: 'coder', roles: ['developer'] }],
    rules,
  };
  const headers = { 'content-type': 'application/yaml' };
  const answer = await plane.call({
    method: 'POST',
    url: '/v1/apply',
    body: JSON.stringify(document),
    headers,
    tenant,
  });
  if (answer.status !== 200) throw new Error(`the document was not applied: ${answer.text}`);
}

let requests = 0;

/** Appends what a call would have left in the log, a minute after all else. */
export async function record(plane: TestControlPlane, ...drafts: readonly Partial<EntryDraft>[]): Promise<string[]> {
  plane.clock.now += 60_000;
  const ids: string[] = [];
  await plane.dependencies.runInTransaction(async (context) => {
    for (const draft of drafts) {
      requests += 1;
      const entry: EntryDraft = {
        at: plane.clock.now,
        tenant: 'default',
        type: 'intent',
        requestId: `req_${requests}`,
        agent: 'coder',
        integration: 'api',
        kind: 'http',
        method: 'GET',
        url: 'https://api.example.com/v1/items',
        decision: 'allow',
        risk: { score: 0.1, labels: [] },
        ...draft,
      };
      await plane.repositories.audit.append(entry, context);
      ids.push(entry.requestId ?? '');
    }
  });
  return ids;
}

export function simulate(plane: TestControlPlane, body: object, query = '', more: object = {}) {
  return plane.call({ method: 'POST', url: `/v1/policies/simulate${query}`, body, ...more });
}

export const idsOf = (calls: readonly { readonly requestId: string }[]) =>
  calls.map(({ requestId }) => requestId).sort();

import type { Agent } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewAgentKey } from '../ports/agents.ts';
import { AGENT, type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const FULL: Agent = {
  name: 'deployer',
  owner: 'alice',
  roles: ['developer', 'release'],
  trust: 'high',
  environment: 'dev',
  addresses: ['10.0.0.0/8', 'fd00::/8'],
  disabled: true,
};

export function describeAgentsPort(makeHarness: MakeDbHarness): void {
  describe('agents', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
      await harness.repositories.tenants.create('other');
    });
    afterEach(() => harness.close());

    test('a created agent has all its members, and is found by id and by name in its tenant alone', async () => {
      const { agents } = harness.repositories;
      for (const agent of [AGENT, FULL]) {
        const created = await agents.create('acme', agent, 'api');
        expect(created).toMatchObject({ ...agent, tenant: 'acme', origin: 'api', version: 1 });
        expect(await agents.getById('acme', created.id)).toEqual(created);
        expect(await agents.getByName('acme', agent.name)).toEqual(created);
        expect(await agents.getById('other', created.id)).toBeUndefined();
        expect(await agents.getByName('other', agent.name)).toBeUndefined();
      }
    });

    test('a name is taken once a tenant', async () => {
      const { agents } = harness.repositories;
      await agents.create('acme', AGENT, 'api');
      await agents.create('other', AGENT, 'api');
      await expect(agents.create('acme', AGENT, 'config')).rejects.toMatchObject({ code: 'conflict' });
    });

    test('an agent of a tenant that is not there is refused', async () => {
      const refused = harness.repositories.agents.create('nope', AGENT, 'api');
      await expect(refused).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining('agents.tenant'),
      });
    });

    test('the list goes by name, in pages, within the tenant', async () => {
      const { agents } = harness.repositories;
      for (const name of ['c', 'a', 'b']) await agents.create('acme', { ...AGENT, name }, 'api');
      await agents.create('other', AGENT, 'api');
      const read = (cursor: string | undefined) => agents.listByTenant('acme', { limit: 2, ...(cursor && { cursor }) });
      const { items, sizes } = await readPages(read);
      expect(items.map((agent) => agent.name)).toEqual(['a', 'b', 'c']);
      expect(sizes).toEqual([2, 1]);
    });

    test('an update replaces the members, counts the version and takes the origin over when told', async () => {
      const { agents } = harness.repositories;
      const created = await agents.create('acme', FULL, 'config');
      harness.clock.nowMs += 500;
      const bare: Agent = { ...AGENT, name: FULL.name };
      const updated = await agents.update('acme', created.id, bare, { ifVersion: 1, origin: 'api' });
      expect(updated).toEqual({
        ...bare,
        tenant: 'acme',
        id: created.id,
        origin: 'api',
        version: 2,
        createdAt: created.createdAt,
        updatedAt: created.createdAt + 500,
      });
      expect(await agents.update('acme', created.id, FULL, {})).toMatchObject({ origin: 'api', version: 3 });
    });

    test('an update is refused for an old version, another name, and an agent that is not there', async () => {
      const { agents } = harness.repositories;
      const { id } = await agents.create('acme', AGENT, 'api');
      await agents.update('acme', id, AGENT, { ifVersion: 1 });
      await expect(agents.update('acme', id, AGENT, { ifVersion: 1 })).rejects.toMatchObject({ code: 'stale' });
      await expect(agents.update('acme', id, FULL, {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(agents.update('other', id, AGENT, {})).rejects.toMatchObject({ code: 'not_found' });
      expect(await agents.getById('acme', id)).toMatchObject({ version: 2 });
    });

    test('of two conditional updates at once one wins', async () => {
      const { agents } = harness.repositories;
      const { id } = await agents.create('acme', AGENT, 'api');
      const both = await Promise.allSettled([1, 2].map(() => agents.update('acme', id, AGENT, { ifVersion: 1 })));
      expect(both.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    });

    test('removing an agent removes its keys, and only in its tenant', async () => {
      const { agents } = harness.repositories;
      const { id } = await agents.create('acme', AGENT, 'api');
      await agents.createKey(keyOf(id));
      await expect(agents.remove('other', id)).rejects.toMatchObject({ code: 'not_found' });
      await agents.remove('acme', id);
      expect(await agents.findKey('abcdefghij')).toBeUndefined();
      await expect(agents.remove('acme', id)).rejects.toMatchObject({ code: 'not_found' });
    });

    test.each<[string, () => Promise<unknown>]>([
      ['agents.tenant', () => harness.repositories.agents.create('', AGENT, 'api')],
      ['agents.name', () => harness.repositories.agents.create('acme', { ...AGENT, name: '' }, 'api')],
      ['agents.origin', () => harness.repositories.agents.create('acme', AGENT, 'file' as 'api')],
      ['agents.trust', () => harness.repositories.agents.create('acme', { ...AGENT, trust: 'full' as 'high' }, 'api')],
    ])('a bad %s is refused by its name', async (column, create) => {
      await expect(create()).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining(column) });
    });
  });

  describe('agent keys', () => {
    let harness: DbHarness;
    let agentId: string;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
      agentId = (await harness.repositories.agents.create('acme', AGENT, 'api')).id;
    });
    afterEach(() => harness.close());

    test('a key leads to itself and its agent', async () => {
      const { agents } = harness.repositories;
      const created = await agents.createKey({ ...keyOf(agentId), expiresAt: 9_000 });
      expect(created).toEqual({ ...keyOf(agentId), expiresAt: 9_000, createdAt: harness.clock.nowMs });
      const agent = await agents.getById('acme', agentId);
      expect(await agents.findKey('abcdefghij')).toEqual({ key: created, agent });
      expect(await agents.findKey('nothing')).toBeUndefined();
    });

    test('an id is taken once over all tenants', async () => {
      const { agents, tenants } = harness.repositories;
      await agents.createKey(keyOf(agentId));
      await tenants.create('other');
      const other = await agents.create('other', AGENT, 'api');
      const refused = agents.createKey({ ...keyOf(other.id), tenant: 'other' });
      await expect(refused).rejects.toMatchObject({ code: 'conflict' });
    });

    test('a key of an agent that is not there, or of another tenant, is refused', async () => {
      const { agents, tenants } = harness.repositories;
      await tenants.create('other');
      await expect(agents.createKey(keyOf('nobody'))).rejects.toMatchObject({ code: 'not_found' });
      await expect(agents.createKey({ ...keyOf(agentId), tenant: 'other' })).rejects.toMatchObject({
        code: 'not_found',
      });
    });

    test('a revocation counts once and is seen by the next lookup', async () => {
      const { agents } = harness.repositories;
      await agents.createKey(keyOf(agentId));
      expect(await agents.revokeKey('other', 'abcdefghij', 5_000)).toBe(false);
      expect(await agents.revokeKey('acme', 'abcdefghij', 5_000)).toBe(true);
      expect(await agents.revokeKey('acme', 'abcdefghij', 6_000)).toBe(false);
      expect((await agents.findKey('abcdefghij'))?.key.revokedAt).toBe(5_000);
    });

    test('an agent lists its keys in the order they were made', async () => {
      const { agents } = harness.repositories;
      for (const id of ['zzzzzzzzzz', 'aaaaaaaaaa']) {
        harness.clock.nowMs += 1;
        await agents.createKey({ ...keyOf(agentId), id });
      }
      expect((await agents.listKeys('acme', agentId)).map((key) => key.id)).toEqual(['zzzzzzzzzz', 'aaaaaaaaaa']);
      expect(await agents.listKeys('other', agentId)).toEqual([]);
    });

    test('the last use is written for key and agent, never backwards, and unknown ids are passed over', async () => {
      const { agents } = harness.repositories;
      await agents.createKey(keyOf(agentId));
      const use = { tenant: 'acme', keyId: 'abcdefghij', agentId, at: 4_000 };
      await agents.touch([{ ...use, keyId: 'gone', agentId: 'gone' }, use]);
      await agents.touch([{ ...use, at: 3_000 }]);
      await agents.touch([]);
      const found = await agents.findKey('abcdefghij');
      expect(found?.key.lastUsedAt).toBe(4_000);
      expect(found?.agent).toMatchObject({ lastUsedAt: 4_000, version: 1 });
    });

    test('the hosts that an agent called are known by the last time, of that agent alone', async () => {
      const { agents } = harness.repositories;
      const other = (await agents.create('acme', { ...AGENT, name: 'other' }, 'api')).id;
      const seen = { tenant: 'acme', agentId, host: 'api.example.com', at: 4_000 };
      await agents.touchHosts([
        seen,
        { ...seen, host: 'b.example.com' },
        { ...seen, agentId: 'gone' },
        { ...seen, tenant: 'other' },
        { ...seen, agentId: other, at: 9_000 },
      ]);
      await agents.touchHosts([{ ...seen, at: 3_000 }]);
      await agents.touchHosts([{ ...seen, host: 'b.example.com', at: 5_000 }]);
      await agents.touchHosts([]);
      expect(await agents.listHosts('acme', agentId)).toEqual([
        { host: 'api.example.com', seenAt: 4_000 },
        { host: 'b.example.com', seenAt: 5_000 },
      ]);
      expect(await agents.listHosts('other', agentId)).toEqual([]);
      await agents.remove('acme', agentId);
      expect(await agents.listHosts('acme', agentId)).toEqual([]);
      await expect(agents.touchHosts([{ ...seen, host: '' }])).rejects.toMatchObject({ code: 'invalid' });
    });

    test.each<[string, Partial<NewAgentKey>]>([
      ['agent_keys.id', { id: '' }],
      ['agent_keys.digest', { digest: '' }],
      ['agent_keys.digest_key_id', { digestKeyId: '' }],
      ['agent_keys.scopes', { scopes: ['admin' as 'call'] }],
      ['agent_keys.origin', { origin: 'file' as 'api' }],
      ['agent_keys.expires_at', { expiresAt: -1 }],
    ])('a bad %s is refused by its name', async (column, change) => {
      const refused = harness.repositories.agents.createKey({ ...keyOf(agentId), ...change });
      await expect(refused).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining(column) });
    });
  });
}

function keyOf(agentId: string): NewAgentKey {
  return {
    tenant: 'acme',
    id: 'abcdefghij',
    agentId,
    digest: 'ZGlnZXN0',
    digestKeyId: 'k1',
    scopes: ['call', 'explain'],
    origin: 'api',
  };
}

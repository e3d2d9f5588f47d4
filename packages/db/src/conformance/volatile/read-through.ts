import { describe, expect, test } from 'vitest';
import { type CachedRead, VERIFIED_MS_MAX } from '../../ports/volatile/cached-read.ts';
import type { VolatileStores } from '../../ports/volatile/volatile-stores.ts';
import { AWKWARD_NAMES, countedSource, expectInvalid, held, type MakeVolatileStores } from './harness.ts';

/** A cache of what rights rest on, as each of those stores offers it. */
interface Cache {
  getOrRead<T>(tenant: string, id: string, source: CachedRead<T>): Promise<T | undefined>;
  drop?(tenant: string, id: string): Promise<void>;
  dropTenant(tenant: string): Promise<void>;
}

const CACHES: readonly (readonly [string, (stores: VolatileStores) => Cache])[] = [
  ['sessions', ({ sessions }) => sessions],
  ['agents by SAN URI', ({ agentsBySanUri }) => agentsBySanUri],
  [
    'templates',
    ({ templates }) => ({
      getOrRead: (tenant, name, source) => templates.getOrRead({ tenant, name, version: 3 }, source),
      dropTenant: (tenant) => templates.dropTenant(tenant),
    }),
  ],
];

export function describeReadThrough(make: MakeVolatileStores): void {
  describe.each(CACHES)('%s', (_name, cacheOf) => {
    const makeCache = async () => {
      const harness = await make();
      return { ...harness, cache: cacheOf(harness.stores), other: cacheOf(harness.otherNode) };
    };

    test('what was read is answered, on all nodes, for its time and not longer', async () => {
      const { cache, other, pass } = await makeCache();
      const source = countedSource({ id: 1 });
      expect(await cache.getOrRead('t', 'a', source)).toEqual({ id: 1 });
      source.value = { id: 2 };
      await pass(VERIFIED_MS_MAX - 300);
      expect(await cache.getOrRead('t', 'a', source)).toEqual({ id: 1 });
      expect(await other.getOrRead('t', 'a', source)).toEqual({ id: 1 });
      expect(source.reads).toBe(1);
      await pass(301);
      expect(await other.getOrRead('t', 'a', source)).toEqual({ id: 2 });
    });

    test('its time counts from before it was read, and what was read too slowly is not kept', async () => {
      const { cache, pass } = await makeCache();
      const slowly = async (id: string, ms: number) =>
        cache.getOrRead('t', id, {
          parse: (kept) => kept as number,
          read: async () => {
            await pass(ms);
            return 1;
          },
        });
      expect([await slowly('slow', 1_000), await slowly('too slow', VERIFIED_MS_MAX)]).toEqual([1, 1]);
      const source = countedSource(2);
      expect(await cache.getOrRead('t', 'too slow', source)).toBe(2);
      expect(await slowly('slower', 1_000)).toBe(1);
      expect(await cache.getOrRead('t', 'slower', source)).toBe(1);
      await pass(VERIFIED_MS_MAX - 1_000 + 1);
      expect(await cache.getOrRead('t', 'slower', source)).toBe(2);
    });

    test('nothing is kept of what is not there, and a failed read is the caller’s', async () => {
      const { cache } = await makeCache();
      const source = countedSource<object>(undefined);
      expect(await cache.getOrRead('t', 'a', source)).toBeUndefined();
      source.value = { id: 1 };
      expect(await cache.getOrRead('t', 'a', source)).toEqual({ id: 1 });
      const failing = { ...source, read: () => Promise.reject(new Error('no database')) };
      await expect(cache.getOrRead('t', 'b', failing)).rejects.toThrow('no database');
      expect(await cache.getOrRead('t', 'b', source)).toEqual({ id: 1 });
    });

    test('callers at once share a read', async () => {
      const { cache } = await makeCache();
      const [gate, source] = [held<object>(), countedSource<object>(undefined)];
      source.value = { id: 1 };
      const reading = { ...source, read: () => source.read().then(() => gate.promise) };
      const answers = Array.from({ length: 10 }, () => cache.getOrRead('t', 'a', reading));
      gate.settle({ id: 7 });
      expect(await Promise.all(answers)).toEqual(Array.from({ length: 10 }, () => ({ id: 7 })));
      expect(source.reads).toBe(1);
    });

    test('what was read before a drop is kept by nobody after it', async () => {
      const { cache, other } = await makeCache();
      for (const drop of [() => other.dropTenant('t'), () => (cache.drop ?? cache.dropTenant)('t', 'a')]) {
        const [gate, begun] = [held<object>(), held<void>()];
        const slow = cache.getOrRead('t', 'a', {
          parse: (kept) => kept as object,
          read: () => {
            begun.settle();
            return gate.promise;
          },
        });
        await begun.promise;
        await drop();
        gate.settle({ id: 'old' });
        expect(await slow).toEqual({ id: 'old' });
        const source = countedSource({ id: 'new' });
        expect(await cache.getOrRead('t', 'a', source)).toEqual({ id: 'new' });
        expect(await other.getOrRead('t', 'a', source)).toEqual({ id: 'new' });
        await other.dropTenant('t');
      }
    });

    test('a drop forgets one, a drop of the tenant all of that tenant and none of another', async () => {
      const { cache, other } = await makeCache();
      const source = countedSource(1);
      const ask = async (tenant: string, id: string) => (await cache.getOrRead(tenant, id, source)) ?? 0;
      for (const [tenant, id] of [
        ['t', 'a'],
        ['t', 'b'],
        ['u', 'a'],
      ] as const)
        await ask(tenant, id);
      source.value = 2;
      if (cache.drop !== undefined) {
        await other.drop?.('t', 'a');
        expect([await ask('t', 'a'), await ask('t', 'b'), await ask('u', 'a')]).toEqual([2, 1, 1]);
      }
      await other.dropTenant('t');
      expect([await ask('t', 'a'), await ask('t', 'b'), await ask('u', 'a')]).toEqual([2, 2, 1]);
    });

    test('what another program kept is not believed', async () => {
      const { cache, other } = await makeCache();
      await cache.getOrRead('t', 'a', countedSource({ form: 1 }));
      const counted = countedSource({ form: 2 });
      const source = {
        ...counted,
        parse: (kept: unknown) => ((kept as { form: number }).form === 2 ? (kept as { form: number }) : undefined),
      };
      expect(await other.getOrRead('t', 'a', source)).toEqual({ form: 2 });
      expect(await cache.getOrRead('t', 'a', source)).toEqual({ form: 2 });
      expect(counted.reads).toBe(1);
    });

    test('no tenant and no name passes for another', async () => {
      const { cache } = await makeCache();
      const pairs = AWKWARD_NAMES.flatMap((tenant) => AWKWARD_NAMES.map((id) => [tenant, id] as const));
      const ask = (tenant: string, id: string) => cache.getOrRead(tenant, id, countedSource({ tenant, id }));
      for (const [tenant, id] of pairs) expect(await ask(tenant, id)).toEqual({ tenant, id });
      for (const [tenant, id] of pairs) expect(await ask(tenant, id)).toEqual({ tenant, id });
    });

    test('empty identifiers are refused', async () => {
      const { cache } = await makeCache();
      await expectInvalid(() => cache.getOrRead('', 'a', countedSource(1)), 'tenant must be a text');
      await expectInvalid(() => cache.getOrRead('t', '', countedSource(1)), 'must be a text of 1 to');
      await expectInvalid(() => cache.getOrRead('t', '\ud800', countedSource(1)), 'surrogate');
      await expectInvalid(() => cache.dropTenant(''), 'tenant must be a text');
    });
  });

  test('a version of a template is a number from 1, or one of two words', async () => {
    const { stores } = await make();
    const ask = (version: number | 'highest') =>
      stores.templates.getOrRead({ tenant: 't', name: 'n', version }, countedSource(version));
    expect([await ask('highest'), await ask(1), await ask(2)]).toEqual(['highest', 1, 2]);
    for (const version of [0, -1, 1.5, Number.NaN])
      await expectInvalid(() => ask(version), 'version must be an integer from 1');
  });
}

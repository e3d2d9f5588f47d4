import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyMemory } from '../body/body-memory.ts';
import { WideEvent } from '../wide-event.ts';
import { bodyMemoryOf, createTenantBounds, leavePlace, type TenantBounds, takePlace } from './tenant-bounds.ts';

const newEvent = () => new WideEvent('r', 0, 0);

function boundsOf(compile: ReturnType<typeof createTenantBounds>, limits: object, tenant = 'acme'): TenantBounds {
  const bounds = compile(tenant, limits);
  if (bounds === undefined) throw new Error('the tenant has no bounds');
  return bounds;
}

describe('the bounds of a tenant', () => {
  test('are not there where nothing is bounded', () => {
    expect(createTenantBounds()('acme', {})).toBeUndefined();
  });

  test('count a call once, however often it is judged, and give its place back once', () => {
    const bounds = boundsOf(createTenantBounds(), { concurrentCalls: 1 });
    const event = newEvent();
    takePlace(event, bounds);
    takePlace(event, bounds);
    expect(() => takePlace(newEvent(), bounds)).toThrow('as many calls in progress as it may');
    leavePlace(event);
    leavePlace(event);
    expect(bounds.load.calls).toBe(0);
    const refused = newEvent();
    takePlace(newEvent(), bounds);
    expect(() => takePlace(refused, bounds)).toThrow();
    leavePlace(refused);
    expect(bounds.load.calls).toBe(1);
  });

  test('are judged by the newest version over calls of all versions', () => {
    const compile = createTenantBounds();
    const former = boundsOf(compile, { concurrentCalls: 3 });
    for (const _ of [1, 2]) takePlace(newEvent(), former);
    const current = boundsOf(compile, { concurrentCalls: 2 });
    expect(() => takePlace(newEvent(), current)).toThrow();
    expect(boundsOf(compile, { concurrentCalls: 2 }, 'other').load.calls).toBe(0);
  });

  test('hold at every moment, whatever begins and ends in whatever order', () => {
    const steps = fc.array(fc.record({ begins: fc.boolean(), which: fc.nat(20) }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), steps, (concurrentCalls, list) => {
        const bounds = boundsOf(createTenantBounds(), { concurrentCalls });
        const running: WideEvent[] = [];
        for (const { begins, which } of list) {
          const event = newEvent();
          if (begins) {
            const isFull = running.length === concurrentCalls;
            if (isFull) expect(() => takePlace(event, bounds)).toThrow();
            else {
              takePlace(event, bounds);
              running.push(event);
            }
          } else for (const ended of running.splice(which % Math.max(1, running.length), 1)) leavePlace(ended);
          expect(bounds.load.calls).toBe(running.length);
          expect(running.length).toBeLessThanOrEqual(concurrentCalls);
        }
      }),
    );
  });
});

describe('the memory of a tenant’s bodies', () => {
  test('is that of all, for a tenant without a bound on it', () => {
    const shared = new BodyMemory(10);
    expect(bodyMemoryOf(shared, { bounds: undefined })).toBe(shared);
    expect(bodyMemoryOf(shared, { bounds: boundsOf(createTenantBounds(), { agents: 1 }) })).toBe(shared);
  });

  test('is a part of that of all: whoever takes takes of both, and gives back to both', () => {
    const shared = new BodyMemory(10);
    const bounds = boundsOf(createTenantBounds(), { bodyMemoryBytes: 6 });
    const own = bodyMemoryOf(shared, { bounds });
    expect(bodyMemoryOf(shared, { bounds })).toBe(own);
    expect([own.take(4), own.take(3), shared.heldBytes]).toEqual([true, false, 4]);
    expect([shared.take(5), own.take(2), own.heldBytes]).toEqual([true, false, 4]);
    own.give(4);
    expect([own.heldBytes, shared.heldBytes]).toEqual([0, 5]);
  });

  test('that is made smaller keeps what is held, and gives no more', () => {
    const shared = new BodyMemory(100);
    const compile = createTenantBounds();
    const wide = bodyMemoryOf(shared, { bounds: boundsOf(compile, { bodyMemoryBytes: 50 }) });
    expect(wide.take(40)).toBe(true);
    const narrow = bodyMemoryOf(shared, { bounds: boundsOf(compile, { bodyMemoryBytes: 20 }) });
    expect([narrow, narrow.take(1), narrow.heldBytes]).toEqual([wide, false, 40]);
  });
});

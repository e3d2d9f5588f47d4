import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { upstreamKey } from './upstream-key.ts';

const gatewayKey = createSecretKey(Buffer.alloc(32, 1));
const scope = { tenant: 'default', agent: 'coder', integration: 'stripe', key: 'order-1' };

describe('upstreamKey', () => {
  test('is the same for the same claim, on every node with the same key', () => {
    expect(upstreamKey(gatewayKey, scope)).toBe(upstreamKey(createSecretKey(Buffer.alloc(32, 1)), { ...scope }));
    expect(upstreamKey(gatewayKey, scope)).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test('is another under another key of the gateway', () => {
    expect(upstreamKey(createSecretKey(Buffer.alloc(32, 2)), scope)).not.toBe(upstreamKey(gatewayKey, scope));
  });

  test('is another for every other claim, wherever the parts are divided', () => {
    const part = fc.string({ unit: fc.constantFrom('a', '1', ':', '\n'), maxLength: 4 });
    const claim = fc.record({ tenant: part, agent: part, integration: part, key: part });
    fc.assert(
      fc.property(claim, claim, (one, other) => {
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(upstreamKey(gatewayKey, one) === upstreamKey(gatewayKey, other)).toBe(isSame);
      }),
      { numRuns: 500 },
    );
    const keys = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['a\nb', 'c'],
      ['a', 'b\nc'],
      ['a\n1:b', 'c'],
      ['a', '1:b\nc'],
    ].map(([agent = '', integration = '']) => upstreamKey(gatewayKey, { ...scope, agent, integration }));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

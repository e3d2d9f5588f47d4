import { describe, expect, it } from 'vitest';
import { createRequestIds } from './request-id.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('request ids', () => {
  it('are UUIDv7 and carry the time', () => {
    const id = createRequestIds(() => 0x0123_4567_89ab)();
    expect(id).toMatch(UUID_V7);
    expect(id.startsWith('01234567-89ab-7000-')).toBe(true);
  });

  it('ascend and never repeat within one millisecond, past the counter and when the clock steps back', () => {
    let now = 1_700_000_000_000;
    const next = createRequestIds(() => now);
    const ids = Array.from({ length: 10_000 }, next);
    now -= 5_000;
    ids.push(...Array.from({ length: 10 }, next));
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(UUID_V7);
  });
});

import { describe, expect, it } from 'vitest';
import { rateLimitFields } from './rate-limit-fields.ts';
import { createWindow, spendWindow } from './sliding-window.ts';

describe('the fields of rate limits', () => {
  const limit = { requests: 2, perSeconds: 60 };

  it('name each policy, what is left of it and until when', () => {
    const state = createWindow();
    const verdict = spendWindow(state, limit, 0);
    expect(rateLimitFields([{ rule: 'pace', limit, verdict }])).toEqual({
      rateLimit: '"pace";r=1;t=61',
      rateLimitPolicy: '"pace";q=2;w=60',
      retryAfter: undefined,
    });
  });

  it('tell the longest wait of those that refuse', () => {
    const burst = { requests: 1, perSeconds: 1 };
    const states = [createWindow(), createWindow()] as const;
    spendWindow(states[0], burst, 0);
    for (let call = 0; call < 2; call += 1) spendWindow(states[1], limit, 0);
    const limits = [
      { rule: 'burst', limit: burst, verdict: spendWindow(states[0], burst, 500) },
      { rule: 'pace', limit, verdict: spendWindow(states[1], limit, 30_000) },
    ];
    expect(rateLimitFields(limits)).toEqual({
      rateLimit: '"burst";r=0;t=1, "pace";r=0;t=31',
      rateLimitPolicy: '"burst";q=1;w=1, "pace";q=2;w=60',
      retryAfter: '31',
    });
  });

  it('are absent without limits', () => {
    expect(rateLimitFields([])).toBeUndefined();
  });
});

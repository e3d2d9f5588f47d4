import { describe, expect, test } from 'vitest';
import { type DeliveryVerdict, judgeDelivery, outboxOutcome } from './judge-delivery.ts';
import { nextAttempt, WEBHOOK_ATTEMPTS_MAX, WEBHOOK_RETRY_SECONDS } from './next-attempt.ts';
import { encodeNotification, NOTIFICATION_EVENTS, type Notification } from './notification.ts';

const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const created: Notification = {
  type: 'approval.created',
  at,
  tenant: 'default',
  url: 'https://postern.example/approvals/ap_1',
  approvalId: 'ap_1',
  status: 'pending',
  agent: 'coder',
  integration: 'github',
  action: 'issues.write',
  risk: { score: 0.4, labels: ['pii'] },
  expiresAt: at + 900_000,
};

describe('a notification', () => {
  test('of an approval has the specified members and no others', () => {
    expect(encodeNotification(created)).toBe(
      '{"type":"approval.created","timestamp":"2026-01-02T03:04:05.006Z","data":{"approvalId":"ap_1","status":"pending",' +
        '"tenant":"default","agent":"coder","integration":"github","action":"issues.write",' +
        '"risk":{"score":0.4,"labels":["pii"]},"expiresAt":"2026-01-02T03:19:05.006Z","url":"https://postern.example/approvals/ap_1"}}',
    );
  });

  test('never takes along what else the caller’s object holds', () => {
    const record = {
      ...created,
      headers: [['authorization', 'hush']],
      body: 'hush',
      reason: 'hush',
      risk: { ...created.risk, secret: 'hush' },
    };
    expect(encodeNotification(record as unknown as Notification)).toBe(encodeNotification(created));
  });

  test('says null where there is no action and no risk', () => {
    const { data } = JSON.parse(encodeNotification({ ...created, action: undefined, risk: undefined }));
    expect(data).toMatchObject({ action: null, risk: null });
  });

  test('of every other kind has identifiers, times and a link', () => {
    const base = { at, tenant: 'default', url: 'https://postern.example/x' };
    expect(
      JSON.parse(encodeNotification({ ...base, type: 'secret.expiring', secret: 'github-token', expiresAt: at })),
    ).toEqual({
      type: 'secret.expiring',
      timestamp: '2026-01-02T03:04:05.006Z',
      data: { tenant: 'default', secret: 'github-token', expiresAt: '2026-01-02T03:04:05.006Z', url: base.url },
    });
    expect(
      JSON.parse(encodeNotification({ ...base, type: 'edge.offline', edge: 'barn', lastSeenAt: at })).data,
    ).toEqual({
      tenant: 'default',
      edge: 'barn',
      lastSeenAt: '2026-01-02T03:04:05.006Z',
      url: base.url,
    });
    expect(JSON.parse(encodeNotification({ ...base, type: 'audit.spooling', entries: 12 })).data).toEqual({
      tenant: 'default',
      entries: 12,
      url: base.url,
    });
  });

  test('can be subscribed to by these names', () => {
    expect(NOTIFICATION_EVENTS).toEqual([
      'approval.created',
      'approval.decided',
      'approval.expired',
      'edge.offline',
      'secret.expiring',
      'audit.spooling',
    ]);
  });
});

describe('nextAttempt', () => {
  test('makes ten tries over 75 hours and a half', () => {
    let now = 0;
    const delays: number[] = [];
    for (let attempts = 1; ; attempts += 1) {
      const next = nextAttempt(attempts, now, () => 0.5);
      if (next === undefined) break;
      delays.push((next - now) / 1_000);
      now = next;
    }
    expect(delays).toEqual([...WEBHOOK_RETRY_SECONDS]);
    expect(delays.length + 1).toBe(WEBHOOK_ATTEMPTS_MAX);
    expect(WEBHOOK_ATTEMPTS_MAX).toBe(10);
    expect(now / 3_600_000).toBeCloseTo(75.58, 2);
  });

  test('spreads each delay by a tenth to both sides', () => {
    expect(nextAttempt(2, 1_000, () => 0)).toBe(1_000 + 270_000);
    expect(nextAttempt(2, 1_000, () => 0.999_999_9)).toBe(1_000 + 330_000);
  });

  test('makes the first try at once', () => {
    expect(nextAttempt(0, 77, () => 0.5)).toBe(77);
  });

  test('waits as long as the receiver asks, not less than its own delay and not more than a day', () => {
    const asked = (ms: number, attempts = 1) => nextAttempt(attempts, 0, () => 0.5, ms);
    expect(asked(60_000)).toBe(60_000);
    expect(asked(4_999)).toBe(5_000);
    expect(asked(0)).toBe(5_000);
    expect(asked(-1)).toBe(5_000);
    expect(asked(86_400_000)).toBe(86_400_000);
    expect(asked(10 ** 15)).toBe(86_400_000);
    expect(asked(Number.NaN)).toBe(5_000);
    expect(asked(Number.POSITIVE_INFINITY)).toBe(5_000);
    expect(asked(60_000, 10)).toBeUndefined();
  });
});

describe('judgeDelivery', () => {
  test.each([
    [200, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [199, 'retry'],
    [300, 'retry'],
    [301, 'retry'],
    [307, 'retry'],
    [400, 'retry'],
    [404, 'retry'],
    [409, 'retry'],
    [410, 'disable'],
    [411, 'retry'],
    [500, 'retry'],
    [502, 'retry'],
    [599, 'retry'],
    [Number.NaN, 'retry'],
  ])('takes %i for %s', (status, verdict) => {
    expect(judgeDelivery({ status }).verdict).toBe(verdict);
  });

  test('heeds Retry-After of 429 and 503 alone', () => {
    for (const status of [429, 503]) {
      expect(judgeDelivery({ status, retryAfterMs: 7_000 })).toEqual({
        verdict: 'retry',
        error: `status_${status}`,
        retryAfterMs: 7_000,
      });
    }
    for (const status of [301, 400, 500, 502, 504]) {
      expect(judgeDelivery({ status, retryAfterMs: 7_000 })).toEqual({ verdict: 'retry', error: `status_${status}` });
    }
  });
});

describe('outboxOutcome', () => {
  const tried = (attempts: number) => ({ attempts, now: 1_000, random: () => 0.5 });
  const failed: DeliveryVerdict = { verdict: 'retry', error: 'status_500' };

  test('is what the outbox writes', () => {
    expect(outboxOutcome({ verdict: 'delivered' }, tried(1))).toEqual({ to: 'delivered', at: 1_000 });
    expect(outboxOutcome(failed, tried(1))).toEqual({ to: 'retry', nextAttemptAt: 6_000, error: 'status_500' });
    expect(outboxOutcome({ ...failed, retryAfterMs: 9_000 }, tried(1))).toMatchObject({ nextAttemptAt: 10_000 });
    expect(outboxOutcome(failed, tried(9))).toMatchObject({ to: 'retry' });
    expect(outboxOutcome(failed, tried(10))).toEqual({ to: 'dead', at: 1_000, error: 'status_500' });
    expect(outboxOutcome({ verdict: 'disable', error: 'status_410' }, tried(1))).toEqual({
      to: 'dead',
      at: 1_000,
      error: 'status_410',
    });
  });
});

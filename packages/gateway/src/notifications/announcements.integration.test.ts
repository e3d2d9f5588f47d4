import { createDbRepositories } from '@postern/db';
import type { ApprovalSummary } from '@postern/db/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestGateway, TENANT, type TestGateway } from '../gateway.fixture.ts';
import { createDeadSecretAnnouncement } from './announce-dead-secret.ts';
import { createApprovalMessages } from './approval-message.ts';

const DAY_MS = 86_400_000;

let gateway: TestGateway;
let woken: number;
const clock = { nowMs: 1_700_000_000_000 };

beforeEach(async () => {
  woken = 0;
  gateway = await startTestGateway();
});

afterEach(() => gateway?.close());

const adminUrl = () => 'https://postern.example.com';
const onMessage = () => {
  woken += 1;
};
const announcement = () => {
  const { outbox, notificationEndpoints: endpoints } = gateway.repositories;
  const now = () => clock.nowMs;
  return createDeadSecretAnnouncement({
    ...{ outbox, endpoints, adminUrl, now, onMessage },
    runInTransaction: gateway.runInTransaction,
  });
};
const subscribe = (url: string, events: readonly ('secret.expiring' | 'approval.created')[]) =>
  gateway.repositories.notificationEndpoints.create(TENANT, { url, secret: 's', events: [...events] }, 'config');
const messages = async () => (await gateway.repositories.outbox.list(TENANT, {}, { limit: 50 })).items;

describe('a dead secret', () => {
  test('is told of to each who wants to know, once a day, whoever notices', async () => {
    const a = await subscribe('https://a.example.com/', ['secret.expiring']);
    const b = await subscribe('https://b.example.com/', ['approval.created', 'secret.expiring']);
    await subscribe('https://c.example.com/', ['approval.created']);
    const announce = announcement();
    const told = await Promise.all([
      announce(TENANT, 'token'),
      announce(TENANT, 'token'),
      announcement()(TENANT, 'token'),
    ]);
    expect(told.filter(Boolean)).toHaveLength(1);
    expect(woken).toBe(1);
    expect((await messages()).map(({ endpoint }) => endpoint).sort()).toEqual([a.id, b.id].sort());
    expect(JSON.parse((await messages())[0]?.body ?? '')).toEqual({
      type: 'secret.expiring',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: {
        tenant: TENANT,
        secret: 'token',
        expiresAt: '2023-11-14T22:13:20.000Z',
        url: 'https://postern.example.com/v1/secrets/token',
      },
    });
    expect(await announce(TENANT, 'other')).toBe(true);
    clock.nowMs += DAY_MS - 1;
    expect(await announce(TENANT, 'token')).toBe(false);
    clock.nowMs += 1;
    expect(await announce(TENANT, 'token')).toBe(true);
    clock.nowMs -= DAY_MS;
  });

  test('that nobody wanted to know of is told of as soon as somebody does', async () => {
    const announce = announcement();
    await subscribe('https://c.example.com/', ['approval.created']);
    expect(await announce(TENANT, 'token')).toBe(false);
    await subscribe('https://a.example.com/', ['secret.expiring']);
    expect(await announce(TENANT, 'token')).toBe(true);
    expect(await messages()).toHaveLength(1);
  });
});

describe('the message about an approval', () => {
  test('names it and what it is about, and nothing of what is in the call', () => {
    const approval: ApprovalSummary = {
      tenant: 'acme',
      id: 'id-1',
      agent: 'coder',
      environment: 'dev',
      integration: 'github',
      action: 'issues.write',
      method: 'POST',
      url: 'https://api.github.com/secret-path?secret=query',
      fingerprint: 'f'.repeat(64),
      requestId: 'r-1',
      summary: 'secret summary',
      intent: 'secret intent',
      risk: { score: 0.5, labels: ['pii'] },
      rule: 'secret-rule',
      reason: 'secret reason',
      status: 'pending',
      terms: { approvers: 1, groups: ['secret-group'], pendingSeconds: 1, executeSeconds: 1, grant: 'once' },
      votes: [],
      createdAt: 0,
      expiresAt: 1_700_000_900_000,
      decisionReason: 'secret words',
      decidedBy: 'secret-person',
    };
    const body = createApprovalMessages({ adminUrl, onMessage })(approval, {
      type: 'approval.created',
      at: clock.nowMs,
    });
    expect(JSON.parse(body)).toEqual({
      type: 'approval.created',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: {
        approvalId: 'id-1',
        status: 'pending',
        tenant: 'acme',
        agent: 'coder',
        integration: 'github',
        action: 'issues.write',
        risk: { score: 0.5, labels: ['pii'] },
        expiresAt: '2023-11-14T22:28:20.000Z',
        url: 'https://postern.example.com/v1/approvals/id-1',
      },
    });
    expect(body).not.toContain('secret');
    expect(woken).toBe(1);
  });

  test('costs nothing where no endpoint is', async () => {
    const approvalMessage = createApprovalMessages({ adminUrl, onMessage });
    let ids = 0;
    const { approvals } = createDbRepositories(gateway.db, {
      now: () => clock.nowMs,
      newId: () => `id-${++ids}`,
      approvalMessage,
    });
    const { id } = await approvals.create(
      {
        ...{ tenant: TENANT, agent: 'coder', integration: 'github', method: 'POST', url: 'https://a.example.com/' },
        ...{ fingerprint: 'f'.repeat(64), requestId: 'r', summary: 's', descriptor: '{}' },
        terms: { approvers: 1, groups: [], pendingSeconds: 60, executeSeconds: 60, grant: 'once' },
      },
      clock.nowMs,
    );
    expect(id).toBe('id-1');
    expect([woken, ids]).toEqual([0, 1]);
  });
});

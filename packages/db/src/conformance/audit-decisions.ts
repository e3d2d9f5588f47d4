import { describe, expect, test } from 'vitest';
import type { PolicyDecisionEvent, SsrfGuardDecisionEvent } from '../ports/audit-decisions.ts';
import type { MakeDbHarness } from './harness.ts';
import { range, shareHarness } from './shared-harness.ts';

export function describeAuditDecisions(makeHarness: MakeDbHarness): void {
  describe('decisions beside the log', () => {
    const shared = shareHarness(makeHarness);
    const audit = () => shared.repositories.audit;
    const policyEvent = async (change: Partial<PolicyDecisionEvent> = {}): Promise<PolicyDecisionEvent> => ({
      tenant: await shared.newTenant(),
      eventId: 'event-1',
      at: 5_000,
      requestId: 'request-1',
      agent: 'coder',
      integration: 'github',
      decision: 'deny',
      method: 'GET',
      url: 'https://api.example.org/a',
      rule: 'no-admin',
      reason: 'a rule refuses this call',
      risk: { score: 0.3, labels: ['shell'] },
      ...change,
    });
    const guardEvent = async (change: Partial<SsrfGuardDecisionEvent> = {}): Promise<SsrfGuardDecisionEvent> => ({
      tenant: await shared.newTenant(),
      eventId: 'event-1',
      at: 5_000,
      decision: 'deny',
      code: 'address_forbidden',
      host: 'metadata.example.org',
      port: 443,
      addresses: ['169.254.169.254'],
      ...change,
    });

    test('a refusal stands in the log once, however often it is told', async () => {
      const event = await policyEvent();
      const { tenant } = event;
      const first = await audit().appendPolicyDecision(event);
      expect(first).toMatchObject({
        isNew: true,
        entry: { type: 'denied', tenant, rule: 'no-admin', at: 5_000, seq: 0, risk: event.risk },
      });
      expect(await audit().appendPolicyDecision({ ...event })).toEqual({ isNew: false });
      expect(await audit().size(tenant)).toBe(1);
      expect((await audit().query(tenant, { limit: 9 })).items).toEqual([first.entry]);
      expect(await audit().getDecision(tenant, 'event-1')).toEqual({ kind: 'policy', event });
    });

    test('a target that is refused is told with all its addresses', async () => {
      const event = await guardEvent();
      const { entry } = await audit().appendSsrfGuardDecision(event);
      expect(entry).toMatchObject({
        type: 'ssrf.denied',
        subject: 'target:metadata.example.org:443',
        addresses: ['169.254.169.254'],
        code: 'address_forbidden',
      });
      expect(await audit().appendSsrfGuardDecision(event)).toEqual({ isNew: false });
      expect(await audit().size(event.tenant)).toBe(1);
      expect(await audit().getDecision(event.tenant, event.eventId)).toEqual({ kind: 'ssrf_guard', event });
    });

    test('what lets a call through is kept, and no entry is made of it', async () => {
      const allowed = await policyEvent({ decision: 'allow' });
      const asked = { ...allowed, eventId: 'event-2', decision: 'require_approval' } as const;
      const target = { ...(await guardEvent({ decision: 'allow' })), tenant: allowed.tenant, eventId: 'event-3' };
      expect(await audit().appendPolicyDecision(allowed)).toEqual({ isNew: true });
      expect(await audit().appendPolicyDecision(asked)).toEqual({ isNew: true });
      expect(await audit().appendSsrfGuardDecision(target)).toEqual({ isNew: true });
      expect(await audit().size(allowed.tenant)).toBe(0);
      expect((await audit().getDecision(allowed.tenant, 'event-2'))?.event.decision).toBe('require_approval');
      expect(await audit().getDecision(await shared.newTenant(), 'event-2')).toBeUndefined();
    });

    test('of many that tell one event at once, over two processes, one makes the entry', async () => {
      const event = await policyEvent();
      const second = await shared.secondProcess();
      const told = await Promise.all(
        range(10).map((number) => (number % 2 === 0 ? audit() : second.audit).appendPolicyDecision(event)),
      );
      expect(told.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(await audit().size(event.tenant)).toBe(1);
    });

    test('an event id with another content, or of another kind, is a conflict and makes no entry', async () => {
      const event = await policyEvent();
      await audit().appendPolicyDecision(event);
      const other = audit().appendPolicyDecision({ ...event, rule: 'another' });
      await expect(other).rejects.toMatchObject({ code: 'conflict' });
      const guard = audit().appendSsrfGuardDecision({ ...(await guardEvent()), tenant: event.tenant });
      await expect(guard).rejects.toMatchObject({ code: 'conflict' });
      expect(await audit().size(event.tenant)).toBe(1);
      // An event id is a tenant's own.
      expect((await audit().appendPolicyDecision(await policyEvent({ rule: 'another' }))).isNew).toBe(true);
    });

    test('decision and entry stand or fall with the caller’s transaction', async () => {
      const event = await policyEvent();
      const failed = shared.within(async (context) => {
        await audit().appendPolicyDecision(event, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await audit().getDecision(event.tenant, event.eventId)).toBeUndefined();
      expect(await audit().size(event.tenant)).toBe(0);
      expect((await audit().appendPolicyDecision(event)).isNew).toBe(true);
    });

    test('what comes along with an event and is no part of it is not stored', async () => {
      const event = { ...(await policyEvent()), authorization: 'Bearer planted' };
      await audit().appendPolicyDecision(event);
      expect(JSON.stringify(await audit().getDecision(event.tenant, event.eventId))).not.toContain('planted');
      expect(JSON.stringify((await audit().query(event.tenant, { limit: 1 })).items)).not.toContain('planted');
    });

    test('a sweep removes old decisions, and never an entry', async () => {
      const [old, young] = [await policyEvent({ at: 10 }), await policyEvent({ at: 20 })];
      await audit().appendPolicyDecision(old);
      await audit().appendPolicyDecision(young);
      expect(await audit().sweepDecisions(20, 100)).toBe(1);
      expect(await audit().getDecision(old.tenant, old.eventId)).toBeUndefined();
      expect(await audit().getDecision(young.tenant, young.eventId)).toBeDefined();
      expect(await audit().size(old.tenant)).toBe(1);
    });

    test.each([
      { eventId: '' },
      { tenant: '' },
      { at: -1 },
      { at: 1.5 },
      { decision: 'maybe' as 'deny' },
      { url: 'https://api.example.org/a?token=planted' },
      { reason: 'a\u0000b' },
      { reason: '\ud800' },
      { risk: { score: Number.NaN, labels: [] } },
      { risk: { score: 1.1, labels: [] } },
    ])('a decision with %j is refused', async (change) => {
      const event = await policyEvent(change);
      await expect(audit().appendPolicyDecision(event)).rejects.toMatchObject({ code: 'invalid' });
    });

    test.each([
      { host: '' },
      { port: 0 },
      { port: 65_536 },
      { addresses: [''] },
      { addresses: ['x'.repeat(65)] },
      { decision: 'require_approval' as 'deny' },
    ])('a target with %j is refused', async (change) => {
      const event = await guardEvent(change);
      await expect(audit().appendSsrfGuardDecision(event)).rejects.toMatchObject({ code: 'invalid' });
    });
  });
}

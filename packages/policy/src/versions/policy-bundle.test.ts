import { type Integration, integrationSchema, type Risk, type Rule } from '@postern/schemas';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../compile-policy.ts';
import { bundleVersion, type PolicyParts, policyBundle } from './policy-bundle.ts';

const RISK: Risk = { review: 0.5, deny: 0.9, scorer: null };
const action = { name: 'read', methods: ['GET'], paths: ['/a/**'] };
const integration = (more: object = {}): Integration =>
  integrationSchema.parse({ name: 'api', baseUrl: 'https://example.com', actions: [action], ...more });
const reads: Rule = { id: 'reads', effect: 'allow', actions: ['read'] };
const writes: Rule = { id: 'writes', effect: 'deny', integrations: ['api'] };
const never: Rule = { id: 'never', effect: 'deny', hard: true };
const parts: PolicyParts = { integrations: [integration()], rules: [reads, writes], globalRules: [never], risk: RISK };
const versionOf = (more: Partial<PolicyParts> = {}) => compilePolicy(policyBundle({ ...parts, ...more })).version;

describe('the version of a policy', () => {
  it('is told without compiling, too', () => {
    expect(bundleVersion(parts)).toBe(versionOf());
    expect(bundleVersion({ ...parts, rules: [] })).toBe(versionOf({ rules: [] }));
  });

  it.each<[string, Partial<PolicyParts>]>([
    ['a rule', { rules: [reads, { ...writes, methods: ['POST'] }] }],
    ['a rule less', { rules: [reads] }],
    ['a condition', { rules: [{ ...reads, when: 'agent.trust > 1' }, writes] }],
    ['a global rule', { globalRules: [] }],
    ['the risk from which a call needs an approval', { risk: { ...RISK, review: 0.4 } }],
    ['the risk from which a call is denied', { risk: { ...RISK, deny: 0.8 } }],
    ['a scorer', { risk: { ...RISK, scorer: { baseUrl: 'https://api.example.com/v1', model: 'm' } } }],
    ['another integration', { integrations: [integration(), integration({ name: 'other' })] }],
    ['a pattern of an action', { integrations: [integration({ actions: [{ ...action, paths: ['/b/**'] }] })] }],
    ['the tier of an action', { integrations: [integration({ actions: [{ ...action, risk: 'high' }] })] }],
    ['the approval of an action', { integrations: [integration({ actions: [{ ...action, approval: 'required' }] })] }],
    [
      'an action that is not looked into',
      { integrations: [integration({ actions: [{ ...action, body: 'stream' }] })] },
    ],
  ])('changes with %s', (_what, more) => {
    expect(versionOf(more)).not.toBe(versionOf());
  });

  it.each<[string, Partial<PolicyParts>]>([
    ['the order of rules', { rules: [writes, reads] }],
    ['time limits', { integrations: [integration({ timeouts: { totalMs: 1 } })] }],
    ['limits', { integrations: [integration({ limits: { requestBytes: 1 } })] }],
    ['retries', { integrations: [integration({ retry: { attempts: 1 } })] }],
    ['a credential', { integrations: [integration({ credential: { type: 'bearer', secret: 's' } })] }],
    ['the base URL', { integrations: [integration({ baseUrl: 'https://example.org' })] }],
    [
      'what an approval does not bind',
      { integrations: [integration({ actions: [{ ...action, volatile: ['date'] }] })] },
    ],
  ])('stays with %s', (_what, more) => {
    expect(versionOf(more)).toBe(versionOf());
  });
});

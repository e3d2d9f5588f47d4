import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { type FactChanges, factsOf } from './facts.test-support.ts';

const document = parse(readFileSync(new URL('../../../policies/default.yaml', import.meta.url), 'utf8'));
const policy = compilePolicy(document);

const at = (method: string, path = '/repos/a'): FactChanges => ({
  request: { method, url: `https://api.example.com${path}` },
});

describe('policies/default.yaml', () => {
  it.each([
    ['a developer reads', at('GET'), 'allow', 'developer-reads'],
    ['a developer writes', at('POST'), 'require_approval', 'developer-writes'],
    ['a developer of medium trust deletes', at('DELETE'), 'deny', null],
    ['an agent of high trust deletes', { ...at('DELETE'), agent: { trust: 3 } }, 'require_approval', 'trusted-deletes'],
    ['an agent without a role reads', { ...at('GET'), agent: { roles: [] } }, 'deny', null],
    ['a developer reads administration', at('GET', '/admin'), 'deny', 'no-administration'],
    ['a developer reads below administration', at('GET', '/admin/users'), 'deny', 'no-administration'],
    ['a developer reads administration under a base path', at('GET', '/v1/admin/users'), 'deny', 'no-administration'],
    ['a developer reads what only sounds like it', at('GET', '/administrators'), 'allow', 'developer-reads'],
    ['a developer reads a thing called admin', at('GET', '/repos/a/admin'), 'allow', 'developer-reads'],
  ] satisfies [string, FactChanges, string, string | null][])('%s', (_call, changes, outcome, rule) => {
    const decision = decide(policy, factsOf(changes));
    expect(decision).toMatchObject({ outcome, rule, hard: rule === 'no-administration' });
  });
});

import { describe, expect, it } from 'vitest';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { factsOf } from './facts.test-support.ts';

const COUNT = 1000;

/** Each makes rule number `position` of a thousand; the call of the fixture is covered by number 500 alone. */
const SHAPES: Record<string, (position: number) => object> = {
  integration: (position) => ({ integrations: [position === 500 ? 'github' : `i${position}`] }),
  agent: (position) => ({ agents: [position === 500 ? 'coder' : `a${position}`] }),
  role: (position) => ({ agents: [`role:${position === 500 ? 'developer' : `r${position}`}`], methods: ['GET'] }),
  method: (position) => ({ methods: [position === 500 ? 'GET' : `X-${'A'.repeat(position % 20)}B`] }),
  action: (position) => ({ integrations: ['github'], actions: [position === 500 ? 'issues.read' : `a${position}`] }),
  host: (position) => ({ hosts: [position === 500 ? 'api.github.com' : `h${position}.example`] }),
  'first segment': (position) => ({ paths: [position === 500 ? '/repos/**' : `/p${position}/**`] }),
  'late segment': (position) => ({ paths: [position === 500 ? '/repos/{o}/site/*' : `/repos/{o}/p${position}/*`] }),
};

describe('the index', () => {
  it.each(Object.keys(SHAPES))('offers one rule of a thousand that differ by %s', (shape) => {
    const rules = Array.from({ length: COUNT }, (_, position) => {
      return { id: `r${position}`, effect: 'allow', ...SHAPES[shape]?.(position) };
    });
    const decision = decide(compilePolicy({ rules }), factsOf({ action: { name: 'issues.read' } }));
    expect(decision).toMatchObject({ outcome: 'allow', rule: 'r500' });
    expect(decision.trace).toEqual([{ rule: 'r500', matched: true }]);
  });

  it('still finds a rule whose lists are too long to stand in every place', () => {
    const many = (prefix: string) => Array.from({ length: 100 }, (_, position) => `${prefix}${position}`);
    const rule = {
      id: 'wide',
      effect: 'allow',
      agents: [...many('a'), 'coder'],
      integrations: [...many('i'), 'github'],
      actions: [...many('x'), 'issues.read'],
      methods: ['GET', 'PUT', 'POST'],
      paths: [...many('/p'), '/repos/**'],
    };
    const policy = compilePolicy({ rules: [rule] });
    const action = { name: 'issues.read' };
    expect(decide(policy, factsOf({ action })).outcome).toBe('allow');
    expect(decide(policy, factsOf({ action, agent: { name: 'b' } })).outcome).toBe('deny');
    expect(decide(policy, factsOf({ action: { name: 'y' } })).outcome).toBe('deny');
    expect(decide(policy, factsOf({ action, request: { method: 'DELETE' } })).outcome).toBe('deny');
  });
});

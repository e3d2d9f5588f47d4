import { describe, expect, it } from 'vitest';
import { type AgentFacts, agentSelectorProblem, compileAgentSelectors, matchesAgent } from './agent-selectors.ts';

const coder: AgentFacts = { name: 'coder', roles: ['developer', 'reader'], trust: 2, environment: 'dev' };

describe('agent selectors', () => {
  const fits: [selector: string, agent: AgentFacts][] = [
    ['coder', coder],
    ['role:developer', coder],
    ['role:reader', coder],
    ['environment:dev', coder],
    ['trust>=0', coder],
    ['trust>=2', coder],
    ['trust>=medium', coder],
    ['trust>=untrusted', { ...coder, trust: 0 }],
    ['trust>=admin', { ...coder, trust: 4 }],
  ];
  it.each(fits)('%s selects %j', (selector, agent) => {
    expect(agentSelectorProblem(selector)).toBeUndefined();
    expect(matchesAgent(compileAgentSelectors([selector]), agent)).toBe(true);
  });

  const misfits: [selector: string, agent: AgentFacts][] = [
    ['Coder', coder],
    ['developer', coder],
    ['role:coder', coder],
    ['role:Developer', coder],
    ['role:dev', coder],
    ['environment:prod', coder],
    ['environment:dev', { name: 'coder', roles: ['dev'], trust: 2 }],
    ['trust>=3', coder],
    ['trust>=high', coder],
    ['trust>=low', { ...coder, trust: 0 }],
    ['trust>=admin', { ...coder, trust: 3 }],
  ];
  it.each(misfits)('%s does not select %j', (selector, agent) => {
    expect(agentSelectorProblem(selector)).toBeUndefined();
    expect(matchesAgent(compileAgentSelectors([selector]), agent)).toBe(false);
  });

  it('lets any one selector of a list suffice, and the lowest of several trust levels', () => {
    const selectors = compileAgentSelectors(['other', 'trust>=high', 'trust>=1', 'role:none']);
    expect(matchesAgent(selectors, { ...coder, trust: 1 })).toBe(true);
    expect(matchesAgent(selectors, { ...coder, trust: 0 })).toBe(false);
  });

  it.each([
    'trust>=5',
    'trust>=-1',
    'trust>=2.0',
    'trust>=Medium',
    'trust>=',
    'trust>= 2',
    'trust>2',
    'trust<=2',
    'trust=2',
    'role:',
    'role:a b',
    'role:role:a',
    'environment:',
    'owner:alice',
    'a b',
    '',
    '-a',
    '*',
    'coder\n',
  ])('refuses the selector %j', (selector) => {
    expect(agentSelectorProblem(selector)).toMatch(/^must /);
  });
});

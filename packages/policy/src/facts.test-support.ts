import type { Facts } from './call.ts';

/** A call that tests vary: GET https://api.github.com/repos/acme/site/issues by agent `coder`. */
export function factsOf(changes: FactChanges = {}): Facts {
  const { agent, request, ...others } = changes;
  return {
    tenant: 'default',
    agent: { name: 'coder', roles: ['developer'], trust: 2, environment: 'dev', ...agent },
    request: {
      method: 'GET',
      url: 'https://api.github.com/repos/acme/site/issues',
      headers: [],
      bodyInspected: false,
      ...request,
    },
    integration: { name: 'github' },
    now: 0,
    ...others,
  };
}

export type FactChanges = Partial<Omit<Facts, 'agent' | 'request'>> & {
  agent?: Partial<Facts['agent']>;
  request?: Partial<Facts['request']>;
};

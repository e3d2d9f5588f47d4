import type { GrantTerms, StandingScope } from '@postern/db/ports';
import { visibleText } from '../rendering/visible-text.ts';

/**
 * What a grant to `agent` lets pass, in words with visible characters only: shown to the approver before it is given, and in lists
 * afterwards.
 */
export function describeGrant(terms: GrantTerms, agent: string): string {
  const until = `until ${new Date(terms.expiresAt).toISOString()}`;
  switch (terms.kind) {
    case 'once':
      return `This exact request, once, ${until}.`;
    case 'times':
      return `This exact request, ${terms.times === 1 ? 'once' : `${terms.times} times`}, ${until}.`;
    case 'until':
      return `This exact request, as often as the agent sends it, ${until}.`;
    case 'rule':
      return `${scopeWords(terms.scope, agent)}, as often as it sends them, ${until}. No deny is lifted.`;
  }
}

function scopeWords({ integration, action, method, path }: StandingScope, agent: string): string {
  const what = action === undefined ? 'calls of no named action' : `action ${visibleText(action)}`;
  return (
    `All ${visibleText(method)} requests of agent ${visibleText(agent)} to ${visibleText(path)} of integration ` +
    `${visibleText(integration)} (${what}), with any query, headers and body`
  );
}

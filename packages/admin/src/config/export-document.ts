import type { NotificationEndpoint, Risk } from '@postern/schemas';
import { stringify } from 'yaml';
import { agentMembers } from '../agent-members.ts';
import { compactAgent, compactIntegration, compactRule, compactTemplate } from './compact.ts';
import type { CurrentState } from './current-state.ts';

/** A configuration document as plain data, without secrets and keys. */
export interface ExportedDocument {
  readonly version: 1;
  readonly tenant: string;
  readonly global?: { readonly rules: readonly object[] };
  readonly risk: Risk;
  /** Own ones; absent when there are none. */
  readonly templates?: readonly object[];
  readonly integrations: readonly object[];
  readonly agents: readonly object[];
  readonly rules: readonly object[];
  /** Absent when there are none. */
  readonly notifications?: readonly NotificationEndpoint[];
}

/**
 * What is stored, as a document that changes nothing when it is applied again. The section `secrets` is left out, and with it left
 * alone; agents are without keys, and so keep theirs. Rules that were removed are left out, rules that are written as disabled are not.
 */
export function exportDocument(
  tenant: string,
  state: CurrentState,
  options: { readonly withGlobal: boolean },
): ExportedDocument {
  const rulesOf = (records: CurrentState['rules']) => {
    const written = records.filter(({ spec, disabledAt }) => disabledAt === undefined || spec.disabled === true);
    return written.map(({ spec }) => compactRule(spec));
  };
  const globalRules = rulesOf(state.globalRules);
  return {
    version: 1,
    tenant,
    ...(options.withGlobal && globalRules.length > 0 ? { global: { rules: globalRules } } : {}),
    risk: state.risk,
    ...(state.templates.length > 0 ? { templates: state.templates.map(({ spec }) => compactTemplate(spec)) } : {}),
    integrations: state.integrations.map(({ spec }) => compactIntegration(spec)),
    agents: state.agents.map((agent) => compactAgent(agentMembers(agent))),
    rules: rulesOf(state.rules),
    ...(state.notifications.length > 0 ? { notifications: state.notifications.map(({ spec }) => spec) } : {}),
  };
}

const HEADER = `# Exported by Postern. Secrets and agent keys are not part of an export: without the section "secrets" and
# the members "key", applying this leaves those that are stored alone.
`;

export function exportYaml(document: ExportedDocument): string {
  return HEADER + stringify(document, { lineWidth: 120, aliasDuplicateObjects: false });
}

import type { AgentRecord } from '../ports/agents.ts';
import type { AgentRow } from '../tables.ts';
import { toAgentRecord } from './agents.ts';

/** An agent's columns in a row that has another thing's under the plain names. */
export type PrefixedAgentRow = { [Column in keyof AgentRow as `agent_${Column}`]: AgentRow[Column] };

/** For `select`, where `agents` is joined. */
export const AGENT_COLUMNS = [
  'agents.tenant as agent_tenant',
  'agents.id as agent_id',
  'agents.name as agent_name',
  'agents.owner as agent_owner',
  'agents.roles as agent_roles',
  'agents.trust as agent_trust',
  'agents.environment as agent_environment',
  'agents.addresses as agent_addresses',
  'agents.disabled as agent_disabled',
  'agents.origin as agent_origin',
  'agents.version as agent_version',
  'agents.created_at as agent_created_at',
  'agents.updated_at as agent_updated_at',
  'agents.last_used_at as agent_last_used_at',
] as const;

export function toAgentOfRow(row: PrefixedAgentRow): AgentRecord {
  return toAgentRecord({
    tenant: row.agent_tenant,
    id: row.agent_id,
    name: row.agent_name,
    owner: row.agent_owner,
    roles: row.agent_roles,
    trust: row.agent_trust,
    environment: row.agent_environment,
    addresses: row.agent_addresses,
    disabled: row.agent_disabled,
    origin: row.agent_origin,
    version: row.agent_version,
    created_at: row.agent_created_at,
    updated_at: row.agent_updated_at,
    last_used_at: row.agent_last_used_at,
  });
}

import type { Agent } from '@postern/schemas';

/** Of a stored agent the members that people write. */
export function agentMembers(record: Agent): Agent {
  const { name, owner, roles, trust, environment, addresses, disabled } = record;
  return {
    name,
    roles,
    trust,
    disabled,
    ...(owner === undefined ? {} : { owner }),
    ...(environment === undefined ? {} : { environment }),
    ...(addresses === undefined ? {} : { addresses }),
  };
}

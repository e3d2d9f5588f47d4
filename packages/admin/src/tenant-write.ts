import { type DbContext, GLOBAL_TENANT } from '@postern/db/ports';
import type { EntryType } from '@postern/schemas';
import type { WriteDependencies } from './dependencies.ts';

/** An administrative entry beyond its type. */
export interface RecordDetails {
  readonly policyVersion?: string;
  /** The name of the secret concerned. */
  readonly credential?: string;
}

/** One change of a tenant's configuration under way. */
export interface TenantWrite {
  readonly tenant: string;
  readonly context: DbContext;
  /** Appends an audit entry in the same transaction. `subject` as `agent:coder`. */
  record(type: EntryType, subject: string, details?: RecordDetails): Promise<void>;
  /** Says that the change reaches every tenant, as a global rule does. */
  stampEveryTenant(): void;
}

export interface WriteOrigin {
  readonly tenant: string;
  /** The administrator's name. */
  readonly actor: string;
  readonly requestId?: string;
}

/**
 * Runs `operation` in one transaction with its audit entries and the stamp by which the data plane learns of it, all or none, and
 * tells `onChange` after the commit. An operation that recorded nothing changed nothing and stamps nothing.
 */
export async function writeInTenant<T>(
  dependencies: WriteDependencies,
  origin: WriteOrigin,
  operation: (write: TenantWrite) => Promise<T>,
): Promise<T> {
  const { repositories, runInTransaction, now, onChange, ownAddresses } = dependencies;
  const { tenant, actor, requestId } = origin;
  let isChanged = false;
  let hasNewIntegrations = false;
  let stamped = tenant;
  const result = await runInTransaction(async (context) => {
    const answer = await operation({
      tenant,
      context,
      stampEveryTenant() {
        stamped = GLOBAL_TENANT;
      },
      async record(type, subject, details = {}) {
        isChanged = true;
        if (subject.startsWith('integration:')) hasNewIntegrations = true;
        const origins = { actor, ...(requestId === undefined ? {} : { requestId }) };
        await repositories.audit.append({ at: now(), tenant, type, subject, ...origins, ...details }, context);
      },
    });
    if (isChanged) await repositories.directory.bump(stamped, context);
    return answer;
  });
  if (isChanged) onChange(stamped);
  // Whoever was answered finds the address open, or learns that it is not.
  if (hasNewIntegrations) await ownAddresses.follow();
  return result;
}

import { type DbContext, GLOBAL_TENANT } from '@postern/db/ports';
import type { EntryDraft, EntryType } from '@postern/schemas';
import type { WriteDependencies } from './dependencies.ts';
import type { LiveEvent } from './events/event-hub.ts';
import { checkRoomLeft, readRoom } from './tenant-room.ts';

/** An administrative entry beyond its type. */
export interface RecordDetails {
  readonly policyVersion?: string;
  readonly versions?: NonNullable<EntryDraft['versions']>;
  /** The name of the secret concerned. */
  readonly credential?: string;
}

/** One change of a tenant's configuration under way. */
export interface TenantWrite {
  readonly tenant: string;
  /** The administrator's name. */
  readonly actor: string;
  readonly context: DbContext;
  /** Appends an audit entry in the same transaction. `subject` as `agent:coder`. */
  record(type: EntryType, subject: string, details?: RecordDetails): Promise<void>;
  /** Says that the change reaches every tenant, as a global rule does. */
  stampEveryTenant(): void;
  /** Fails `conflict` when the tenant has more now than its limits allow; asked before each commit. */
  requireRoom(): Promise<void>;
}

export interface WriteOrigin {
  readonly tenant: string;
  /** The administrator's name. */
  readonly actor: string;
  readonly requestId?: string;
}

/**
 * Runs `operation` in one transaction with its audit entries and the stamp by which the data plane learns of it, all or none, and
 * tells `onChange` after the commit. An operation that recorded nothing changed nothing and stamps nothing; one that leaves the tenant
 * with more than its limits allow is refused (`conflict`).
 */
export async function writeInTenant<T>(
  dependencies: WriteDependencies,
  origin: WriteOrigin,
  operation: (write: TenantWrite) => Promise<T>,
): Promise<T> {
  const { repositories, runInTransaction, now, onChange, ownAddresses, events } = dependencies;
  const { tenant, actor, requestId } = origin;
  const recorded: LiveEvent[] = [];
  let hasNewIntegrations = false;
  let stamped = tenant;
  const result = await runInTransaction(async (context) => {
    const room = await readRoom(dependencies, tenant, context);
    const requireRoom = async () => {
      if (room !== undefined) await checkRoomLeft(dependencies, tenant, room, context);
    };
    const answer = await operation({
      tenant,
      actor,
      context,
      requireRoom,
      stampEveryTenant() {
        stamped = GLOBAL_TENANT;
      },
      async record(type, subject, details = {}) {
        if (subject.startsWith('integration:')) hasNewIntegrations = true;
        const origins = { actor, ...(requestId === undefined ? {} : { requestId }) };
        const at = now();
        recorded.push({ tenant, type, at, data: { subject, actor } });
        await repositories.audit.append({ at, tenant, type, subject, ...origins, ...details }, context);
      },
    });
    if (recorded.length > 0) await repositories.directory.bump(stamped, context);
    await requireRoom();
    return answer;
  });
  if (recorded.length > 0) onChange(stamped);
  if (events !== undefined) for (const event of recorded) events.publish(event);
  // Whoever was answered finds the address open, or learns that it is not.
  if (hasNewIntegrations) await ownAddresses.follow();
  return result;
}

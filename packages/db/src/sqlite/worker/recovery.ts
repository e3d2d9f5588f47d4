import type { StatementSync } from 'node:sqlite';
import { decodeEntry } from '@postern/audit';
import type { Entry } from '@postern/schemas';
import type { IntentPart } from './call-drafts.ts';
import type { Connection } from './connection.ts';

/** Intents closed in one transaction, so that calls do not wait long behind it. */
export const RECOVERED_AT_ONCE = 500;

export interface AbandonedIntent extends IntentPart {
  readonly tenant: string;
  readonly seq: number;
  readonly requestId: string;
}

/** Finds what earlier boots of this node, and boots whose lease ran out, have left open. */
export class Recovery {
  readonly #node: string;
  readonly #boot: string;
  readonly #select: StatementSync;
  readonly #forget: StatementSync;

  constructor(connection: Connection, { node, boot }: { node: string; boot: string }) {
    this.#node = node;
    this.#boot = boot;
    this.#select = connection.prepare(
      `select o.tenant, o.seq, e.entry, e.request_id from open_intents o
        join audit_entries e on e.tenant = o.tenant and e.seq = o.seq
        left join node_leases l on l.boot = o.boot
        where o.boot <> ? and (l.boot is null or l.node = ? or l.lease_until <= ?)
        order by o.tenant, o.seq limit ${RECOVERED_AT_ONCE}`,
    );
    this.#forget = connection.prepare('delete from node_leases where boot <> ? and (node = ? or lease_until <= ?)');
  }

  /** At most `RECOVERED_AT_ONCE`. */
  abandoned(now: number): readonly AbandonedIntent[] {
    return this.#select.all(this.#boot, this.#node, now).map(toAbandoned);
  }

  /** Drops the leases of boots that are over and have nothing open. */
  forgetLeases(now: number): void {
    this.#forget.run(this.#boot, this.#node, now);
  }
}

function toAbandoned(row: Record<string, unknown>): AbandonedIntent {
  const place = { tenant: String(row['tenant']), seq: Number(row['seq']), requestId: String(row['request_id']) };
  return { ...readable(String(row['entry'])), ...place };
}

/** An intent that cannot be read any more is closed all the same: a node must not fail to start for it. */
function readable(entry: string): Partial<Entry> {
  try {
    return decodeEntry(entry);
  } catch {
    return {};
  }
}

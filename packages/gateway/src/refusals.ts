import type { CallJournal } from '@postern/db/ports';
import type { EntryDraft, EntryType, ErrorCode, Rejection } from '@postern/schemas';
import { judgedCall, type WideEvent } from './wide-event.ts';

const FLUSH_EVERY_MS = 60_000;
/** Addresses are the callers' to choose (IPv6), so the memory for them is bounded; the rest is counted under one name. */
const ADDRESSES_MAX = 10_000;
const OTHER_ADDRESSES = 'other';

/**
 * The record of refusals. One of a known agent becomes an entry at once, in a batch that delays nobody; unauthenticated ones are
 * counted and written once a minute per address, so that a flood of bad keys cannot fill the log.
 */
export class Refusals {
  readonly #journal: CallJournal;
  readonly #now: () => number;
  /** The log that unauthenticated refusals go to. */
  readonly #strangersTenant: string;
  /** By code and address. */
  readonly #strangers = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(journal: CallJournal, now: () => number, strangersTenant: string) {
    this.#journal = journal;
    this.#now = now;
    this.#strangersTenant = strangersTenant;
  }

  record(event: WideEvent, rejection: Rejection): void {
    if (event.tenant === undefined) return this.#countStranger(event.clientAddress ?? OTHER_ADDRESSES, rejection.code);
    this.#journal.recordRefusal(refusalEntry(event, event.tenant, rejection, this.#now()));
  }

  #countStranger(address: string, code: ErrorCode): void {
    const own = `${code} ${address}`;
    const key = this.#strangers.has(own) || this.#strangers.size < ADDRESSES_MAX ? own : `${code} ${OTHER_ADDRESSES}`;
    this.#strangers.set(key, (this.#strangers.get(key) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_EVERY_MS).unref();
  }

  /** Writes what is counted; also at shutdown. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [key, count] of this.#strangers) {
      const [code = '', address = ''] = key.split(' ');
      this.#journal.recordRefusal({
        at: this.#now(),
        tenant: this.#strangersTenant,
        type: 'denied',
        code,
        addresses: [address],
        count,
      });
    }
    this.#strangers.clear();
  }
}

function refusalEntry(event: WideEvent, tenant: string, rejection: Rejection, at: number): EntryDraft {
  return {
    at,
    tenant,
    type: refusalType(rejection),
    ...judgedCall(event),
    code: rejection.code,
    status: rejection.status,
    addresses: event.address === undefined ? undefined : [event.address],
  };
}

function refusalType(rejection: Rejection): EntryType {
  if (rejection.code === 'key_in_request') return 'violation';
  if (rejection.code === 'address_forbidden') return 'ssrf.denied';
  return 'denied';
}

import { DbError } from '../ports/db-error.ts';
import {
  INVALIDATION_TOPICS,
  type Invalidation,
  type InvalidationListener,
  type InvalidationTopic,
} from '../ports/volatile/invalidation-bus.ts';
import { requireIdentifier } from './check-range.ts';
import { readKept } from './read-kept.ts';

/** Hears what a listener threw; the others are called all the same. */
export type OnListenerError = (error: unknown) => void;

export const SUBJECT_LENGTH_MAX = 512;

interface Subscriber {
  readonly topics: ReadonlySet<InvalidationTopic>;
  readonly listener: InvalidationListener;
}

export interface Subscribers {
  add(topics: readonly InvalidationTopic[], listener: InvalidationListener): () => void;
  tell(invalidation: Invalidation): void;
  tellLost(): void;
  size(): number;
}

/** Who is subscribed on this node. One that unsubscribes while others are being told is not called any more. */
export function createSubscribers(onListenerError: OnListenerError = warn): Subscribers {
  const subscribers = new Set<Subscriber>();

  function each(isMeant: (subscriber: Subscriber) => boolean, call: (listener: InvalidationListener) => void): void {
    for (const subscriber of [...subscribers]) {
      if (!subscribers.has(subscriber) || !isMeant(subscriber)) continue;
      try {
        call(subscriber.listener);
      } catch (error) {
        onListenerError(error);
      }
    }
  }

  return {
    add(topics, listener) {
      for (const topic of topics) requireTopic(topic);
      const subscriber = { topics: new Set(topics), listener };
      subscribers.add(subscriber);
      return () => void subscribers.delete(subscriber);
    },
    tell(invalidation) {
      each(
        ({ topics }) => topics.has(invalidation.topic),
        (listener) => listener.onInvalidation(invalidation),
      );
    },
    tellLost() {
      each(
        () => true,
        (listener) => listener.onLost(),
      );
    },
    size: () => subscribers.size,
  };
}

export function checkInvalidation({ topic, tenant, subject }: Invalidation): void {
  requireTopic(topic);
  requireIdentifier('tenant', tenant, SUBJECT_LENGTH_MAX);
  if (subject !== undefined) requireIdentifier('subject', subject, SUBJECT_LENGTH_MAX);
}

/** Undefined when it is none: whoever hears that has missed something. */
export function parseInvalidation(message: string): Invalidation | undefined {
  return readKept(message, ({ topic, tenant, subject }) => {
    const invalidation = { topic, tenant, ...(subject === undefined ? {} : { subject }) } as Invalidation;
    try {
      checkInvalidation(invalidation);
      return invalidation;
    } catch {
      return undefined;
    }
  });
}

function requireTopic(topic: InvalidationTopic): void {
  if (INVALIDATION_TOPICS.includes(topic)) return;
  throw new DbError('invalid', `topic must be one of ${INVALIDATION_TOPICS.join(', ')}`);
}

function warn(error: unknown): void {
  process.emitWarning(`a listener of invalidations threw: ${error instanceof Error ? error.message : String(error)}`);
}

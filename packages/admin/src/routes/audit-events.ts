import { type Entry, type EntryType, OUTCOME_RESULTS, Rejection } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { type AdminScope, idParams } from './admin-scope.ts';

const tags = ['audit'];
const text = z.string().min(1).max(128).optional();
const MILLISECONDS = /^\d{1,15}$/;
const time = z
  .string()
  .refine(
    (given) => MILLISECONDS.test(given) || isIsoTime(given),
    'must be an ISO 8601 time with an offset, a date, or milliseconds since the epoch',
  )
  .optional();

const eventsQuery = pageQuery.extend({
  requestId: text,
  agent: text,
  integration: text,
  action: text,
  decision: z.enum(['allow', 'deny', 'require_approval']).optional(),
  type: text,
  from: time.describe('Inclusive'),
  to: time.describe('Exclusive'),
});

/** The entry as it was recorded; times in it are milliseconds since the epoch. */
const entryView = z.looseObject({
  v: z.literal(1),
  id: z.string(),
  seq: z.int(),
  at: z.int(),
  tenant: z.string(),
  type: z.string(),
  result: z.enum(OUTCOME_RESULTS).optional(),
});

export function auditEventRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { audit } = dependencies.repositories;

  scope.get(
    '/audit/events',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'Search the audit log, newest first',
        description:
          'What a page costs is bounded, however long the log: where little matches, a page may hold fewer entries than asked for, or none, and yet a `nextCursor`. Only a page without one is the last.',
        querystring: eventsQuery,
        response: { 200: pageOf(entryView) },
      },
    },
    ({ actor, query: { from, to, ...filters } }) => {
      const times = { ...optionalTime('from', from), ...optionalTime('to', to) };
      return readPage(() => audit.query(actor.tenant, { ...withoutAbsent(filters), ...times }), viewEntry);
    },
  );

  scope.get(
    '/audit/events/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One entry', params: idParams, response: { 200: entryView } },
    },
    async ({ actor, params }) => {
      const entry = await audit.getById(actor.tenant, params.id);
      if (entry === undefined) throw new Rejection('not_found', 'There is no such entry.');
      return viewEntry(entry);
    },
  );
}

function viewEntry(entry: Entry): Entry & { type: EntryType } & Record<string, unknown> {
  return { ...entry };
}

function optionalTime<K extends 'from' | 'to'>(name: K, given: string | undefined): Partial<Record<K, number>> {
  if (given === undefined) return {};
  const milliseconds = MILLISECONDS.test(given) ? Number(given) : Date.parse(given);
  return { [name]: milliseconds } as Partial<Record<K, number>>;
}

/** Without members that are undefined, which ports tell apart from absent ones. */
function withoutAbsent<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** A time with its offset, or a date, which is its first moment in UTC. */
function isIsoTime(given: string): boolean {
  return z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(given).success;
}

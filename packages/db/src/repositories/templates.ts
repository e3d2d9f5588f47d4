import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type Template, templateSchema } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireOrigin, requireText, withReference } from '../check.ts';
import type { DbClient } from '../client.ts';
import { fromJsonColumn } from '../json-column.ts';
import { decodeNumberCursor, decodeTextCursor, rowsToRead, toPage } from '../page.ts';
import { DbError } from '../ports/db-error.ts';
import type { TemplatesPort, TemplateVersionCreation, TemplateVersionRecord } from '../ports/templates.ts';
import type { Tables, TemplateVersionRow } from '../tables.ts';
import { listsOf, pointsOf, requireScope } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';
import { insertInvalidation } from './template-invalidations.ts';

const LISTS = { versions: 'template_versions', latest: 'latest_templates', all: 'all_template_versions' } as const;
/** In a cursor; no name holds it. */
const NAME_END = '@';

export function createTemplates(dbClient: DbClient, { now, newId }: RepositoryOptions): TemplatesPort {
  const tell = (kysely: Kysely<Tables>, change: { tenant: string; name: string; version: number }) =>
    insertInvalidation(kysely, change, { id: newId(), at: now() });
  return {
    createTemplateVersionImmutable: async ({ tenant, document, origin }, context) => {
      requireText('template_versions.tenant', tenant);
      requireOrigin('template_versions.origin', origin);
      const kysely = requireScope(dbClient, context, 'publishing a template').kysely(tenant);
      const spec = readSpec(document);
      const { name, version } = spec;
      const [highest] = await selectVersions(kysely, tenant, name).orderBy('version', 'desc').limit(1).execute();
      const stored = await selectVersions(kysely, tenant, name).where('version', '=', version).executeTakeFirst();
      if (stored !== undefined) {
        const kept = keptRow(stored, spec, origin);
        const identity = kysely.updateTable('template_versions').set({ active: 1, origin: kept.row.origin });
        await identity.where('tenant', '=', tenant).where('name', '=', name).where('version', '=', version).execute();
        if (kept.creation !== 'unchanged') await tell(kysely, { tenant, name, version });
        return { record: toTemplateVersionRecord(kept.row), creation: kept.creation };
      }
      if (highest !== undefined && highest.version > version) {
        throw new DbError('stale', 'template_versions.version: a higher version of that name is there');
      }
      const row: TemplateVersionRow = {
        tenant,
        name,
        version,
        spec: document,
        content_hash: hash('sha256', document, 'hex'),
        origin,
        active: 1,
        created_at: now(),
      };
      await withReference('template_versions.tenant', kysely.insertInto('template_versions').values(row).execute());
      await tell(kysely, row);
      return { record: toTemplateVersionRecord(row), creation: 'created' };
    },

    async getTemplateVersion(tenant, name, version, context) {
      const query = selectVersions(pointsOf(dbClient, context, tenant), tenant, name).where('active', '=', 1);
      const row = await query.where('version', '=', version).executeTakeFirst();
      return row && toTemplateVersionRecord(row);
    },

    async getLatestTemplate(tenant, name, context) {
      const query = selectVersions(pointsOf(dbClient, context, tenant), tenant, name).where('active', '=', 1);
      const row = await query.orderBy('version', 'desc').limit(1).executeTakeFirst();
      return row && toTemplateVersionRecord(row);
    },

    async getPublishedTemplate(tenant, name, version, context) {
      const all = selectVersions(pointsOf(dbClient, context, tenant), tenant, name);
      const query =
        version === 'highest' ? all.orderBy('version', 'desc').limit(1) : all.where('version', '=', version);
      const row = await query.executeTakeFirst();
      return row && toTemplateVersionRecord(row);
    },

    async retireTemplateVersion(tenant, name, version, context) {
      const kysely = requireScope(dbClient, context, 'taking a template out of use').kysely(tenant);
      const result = await kysely
        .updateTable('template_versions')
        .set({ active: 0 })
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .where('version', '=', version)
        .where('active', '=', 1)
        .executeTakeFirst();
      if (result.numUpdatedRows !== 1n) return false;
      await tell(kysely, { tenant, name, version });
      return true;
    },

    ...listsOfTemplates(dbClient),
  };
}

function listsOfTemplates(
  dbClient: DbClient,
): Pick<TemplatesPort, 'listTemplateVersions' | 'listLatestByTenant' | 'listByTenant'> {
  return {
    async listTemplateVersions(tenant, name, page, context) {
      const before = decodeNumberCursor(LISTS.versions, page.cursor);
      let query = selectVersions(listsOf(dbClient, context, tenant), tenant, name).where('active', '=', 1);
      if (before !== undefined) query = query.where('version', '<', before);
      const rows = await query.orderBy('version', 'desc').limit(rowsToRead(page)).execute();
      const read = { item: toTemplateVersionRecord, position: (row: TemplateVersionRow) => row.version };
      return toPage(rows, page.limit, LISTS.versions, read);
    },

    async listLatestByTenant(tenant, page, context) {
      const after = decodeTextCursor(LISTS.latest, page.cursor);
      let query = selectActive(listsOf(dbClient, context, tenant), tenant).where(({ eb, selectFrom }) => {
        const highest = selectFrom('template_versions as other')
          .select(({ fn }) => fn.max('other.version').as('highest'))
          .whereRef('other.tenant', '=', 'template_versions.tenant')
          .whereRef('other.name', '=', 'template_versions.name')
          .where('other.active', '=', 1);
        return eb('version', '=', highest);
      });
      if (after !== undefined) query = query.where('name', '>', after);
      const rows = await query.orderBy('name').limit(rowsToRead(page)).execute();
      const read = { item: toTemplateVersionRecord, position: (row: TemplateVersionRow) => row.name };
      return toPage(rows, page.limit, LISTS.latest, read);
    },

    async listByTenant(tenant, page, context) {
      const after = decodeTextCursor(LISTS.all, page.cursor);
      let query = selectActive(listsOf(dbClient, context, tenant), tenant);
      if (after !== undefined) {
        const place = after.lastIndexOf(NAME_END);
        const [name, version] = [after.slice(0, place), Number(after.slice(place + 1))];
        query = query.where(({ eb, or, and }) => {
          return or([eb('name', '>', name), and([eb('name', '=', name), eb('version', '>', version)])]);
        });
      }
      const rows = await query.orderBy('name').orderBy('version').limit(rowsToRead(page)).execute();
      const position = ({ name, version }: TemplateVersionRow) => `${name}${NAME_END}${version}`;
      return toPage(rows, page.limit, LISTS.all, { item: toTemplateVersionRecord, position });
    },
  };
}

export function selectActive(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('template_versions').selectAll().where('tenant', '=', tenant).where('active', '=', 1);
}

function selectVersions(kysely: Kysely<Tables>, tenant: string, name: string) {
  return kysely.selectFrom('template_versions').selectAll().where('tenant', '=', tenant).where('name', '=', name);
}

/** A row that is there already as it will be, if what is published is what it holds. */
function keptRow(
  row: TemplateVersionRow,
  spec: Template,
  origin: TemplateVersionRow['origin'],
): { readonly row: TemplateVersionRow; readonly creation: TemplateVersionCreation } {
  // Compared as what they mean: a newer program may know members that had no place in the stored text.
  if (!isDeepStrictEqual(readSpec(row.spec), spec)) {
    throw new DbError('conflict', 'template_versions.spec of that version is another, and cannot change');
  }
  const isOwned = row.active === 0 || origin === 'config';
  const kept = { ...row, active: 1, ...(isOwned ? { origin } : {}) };
  return { row: kept, creation: row.active === 0 ? 'restored' : 'unchanged' };
}

function readSpec(text: string): Template {
  return fromJsonColumn('template_versions.spec', text, templateSchema);
}

export function toTemplateVersionRecord(row: TemplateVersionRow): TemplateVersionRecord {
  const { tenant, name, version, origin } = row;
  // What was changed behind the store's back is not what was published.
  if (hash('sha256', row.spec, 'hex') !== row.content_hash) {
    throw new DbError('invalid', 'template_versions.spec is not what template_versions.content_hash is of');
  }
  const spec = readSpec(row.spec);
  return { tenant, name, version, spec, contentHash: row.content_hash, origin, createdAt: row.created_at };
}

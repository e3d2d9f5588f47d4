import type { Template } from '@postern/schemas';
import type { DbContext, Origin, Page, PageRequest } from './context.ts';

export type {
  TemplateInvalidation,
  TemplateInvalidationOutcome,
  TemplateInvalidationsPort,
} from './template-invalidations.ts';

/** One version of a tenant's own template. Its content, and when it was published, never change. */
export interface TemplateVersionRecord {
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
  readonly spec: Template;
  /** SHA-256 of the document that was published, lower-case hex. */
  readonly contentHash: string;
  readonly origin: Origin;
  readonly createdAt: number;
}

/** `unchanged`: that version was there with this content; `restored`: so it was, and was out of use. */
export type TemplateVersionCreation = 'created' | 'restored' | 'unchanged';

/**
 * Versions of the templates that tenants publish; the built-in ones are in no store. A version that is out of use is not seen by any
 * method but `getPublishedTemplate`. What comes into use or goes out of it is told by `TemplateInvalidationsPort`, in the same transaction.
 */
export interface TemplatesPort {
  /**
   * Stores a version, whose name and number `document` (the RFC 8785 text of a template) says. That version with the same content may be
   * there already; with another it fails `conflict`. Fails `stale` when a higher version of the name is there, `invalid` when the document
   * is no template. A document's origin is taken over by what is there, the API's by what was out of use. Runs inside a transaction only.
   */
  createTemplateVersionImmutable(
    version: { readonly tenant: string; readonly document: string; readonly origin: Origin },
    context: DbContext,
  ): Promise<{ readonly record: TemplateVersionRecord; readonly creation: TemplateVersionCreation }>;
  getTemplateVersion(
    tenant: string,
    name: string,
    version: number,
    context?: DbContext,
  ): Promise<TemplateVersionRecord | undefined>;
  /** The highest version of the name. */
  getLatestTemplate(tenant: string, name: string, context?: DbContext): Promise<TemplateVersionRecord | undefined>;
  /** Also one that is out of use: its number is not given again, and its content stays. */
  getPublishedTemplate(
    tenant: string,
    name: string,
    version: number | 'highest',
    context?: DbContext,
  ): Promise<TemplateVersionRecord | undefined>;
  /** The versions of a name, highest first. */
  listTemplateVersions(
    tenant: string,
    name: string,
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<TemplateVersionRecord>>;
  /** The highest version of each name, by name ascending. */
  listLatestByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<TemplateVersionRecord>>;
  /** All versions, in a fixed order. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<TemplateVersionRecord>>;
  /** Takes a version out of use; false when it was not in use or is not there. Runs inside a transaction only. */
  retireTemplateVersion(tenant: string, name: string, version: number, context: DbContext): Promise<boolean>;
}

import { canonicalJson } from '@postern/canonicalizer';
import type { Template } from '@postern/schemas';

/** The RFC 8785 text of a template: what is kept of it, and what its hash is of. */
export function templateDocument(template: Template): string {
  return canonicalJson(template);
}

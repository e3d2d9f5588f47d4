import type { Template } from '@postern/schemas';

/** All versions of all built-in templates. They are read when first asked for: who uses none does not hold them in memory. */
export async function builtinTemplates(): Promise<readonly Template[]> {
  return (await import('./catalogue/builtin-templates.ts')).BUILTIN_TEMPLATES;
}

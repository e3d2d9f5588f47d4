import { type Template, templateSchema, type ValidationIssue } from '@postern/schemas';
import { builtinTemplates, checkSuccession, checkTemplate, referenceTo } from '@postern/templates';
import { checkShape, toValidationIssue } from '../validation/check-shape.ts';

export interface CheckedTemplate {
  /** With all defaults filled in; undefined when there are issues. */
  readonly template: Template | undefined;
  readonly issues: readonly ValidationIssue[];
}

/** All that can be said of a template without knowing what the tenant has published: its shape, its rules, the built-in ones. */
export async function checkTemplateValue(value: unknown): Promise<CheckedTemplate> {
  const shape = checkShape(templateSchema, value, ['templates', 0]);
  if (shape.value === undefined) {
    return { template: undefined, issues: shape.issues.map((issue) => toValidationIssue(issue)) };
  }
  const template = shape.value;
  const builtin = (await builtinTemplates()).filter(({ name }) => name === template.name);
  const isBuiltin = builtin.some(({ version }) => version === template.version);
  const issues = isBuiltin
    ? [{ field: 'version', message: `${referenceTo(template)} is built in; take another name, or a higher version` }]
    : [...checkTemplate(template), ...checkSuccession(template, builtin)];
  const told = issues.map(({ field, message }) => ({ field, message }));
  return { template: told.length === 0 ? template : undefined, issues: told };
}

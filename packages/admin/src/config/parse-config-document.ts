import { type ConfigDocument, configDocumentSchema, type ValidationIssue } from '@postern/schemas';
import { referenceTo } from '@postern/templates';
import { checkShape, type PlacedIssue, toValidationIssue, withRule } from '../validation/check-shape.ts';
import type { IssuePath } from '../validation/schema-walk.ts';
import { checkIntegration, duplicatesOf } from './check-integration.ts';
import { checkNotification } from './check-notifications.ts';
import { readYaml } from './read-yaml.ts';

export interface ParsedConfig {
  /** With all defaults filled in and base URLs in canonical form; undefined when there are issues. */
  readonly document: ConfigDocument | undefined;
  /** Every fault found, each with field and line. */
  readonly issues: readonly ValidationIssue[];
  readonly lineOf: (path: IssuePath) => number | undefined;
}

/**
 * Reads the text of a configuration document, YAML or JSON, and checks all that can be checked without knowing what is stored and
 * who asks. No message repeats a value.
 */
export async function parseConfigDocument(text: string): Promise<ParsedConfig> {
  const { value, issues: faults, lineOf } = readYaml(text);
  if (faults.length > 0) {
    return { document: undefined, issues: faults.map(({ line, message }) => ({ field: '', message, line })), lineOf };
  }
  const refuse = (issues: readonly PlacedIssue[]): ParsedConfig => {
    const placed = issues.map((issue) => toValidationIssue(withRule(issue, value), lineOf));
    return { document: undefined, issues: placed.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)), lineOf };
  };
  if (value === null) return refuse([{ path: [], message: 'the document is empty; it must at least have version: 1' }]);
  const shape = checkShape(configDocumentSchema, value);
  if (shape.value === undefined) return refuse(shape.issues);
  const { document, issues } = await checkMeaning(shape.value);
  return issues.length > 0 ? refuse(issues) : { document, issues: [], lineOf };
}

/** `postern.yaml:12: integrations[0].timeouts.connectMs: must be at least 1`; the fault of a rule ends in its id. */
export function formatIssue(fileName: string, issue: ValidationIssue): string {
  const place = issue.line === undefined ? fileName : `${fileName}:${issue.line}`;
  const message = issue.rule === undefined ? issue.message : `${issue.message}, in rule ${issue.rule}`;
  return issue.field === '' ? `${place}: ${message}` : `${place}: ${issue.field}: ${message}`;
}

async function checkMeaning(given: ConfigDocument): Promise<{ document: ConfigDocument; issues: PlacedIssue[] }> {
  const { document, issues: ofNotifications } = await checkNotifications(given);
  const issues: PlacedIssue[] = [...checkNames(document), ...checkGlobalRules(document), ...ofNotifications];
  if (document.integrations === undefined) return { document, issues };
  const integrations: NonNullable<ConfigDocument['integrations']> = [];
  for (const [index, entry] of document.integrations.entries()) {
    // A certificate that is still a reference is checked when it is read.
    const ca = typeof entry.tls.ca === 'string' ? entry.tls.ca : null;
    const checked = await checkIntegration({ ...entry, tls: { ca } });
    issues.push(...checked.issues.map(({ path, message }) => ({ path: ['integrations', index, ...path], message })));
    integrations.push({ ...checked.integration, tls: entry.tls });
  }
  return { document: { ...document, integrations }, issues };
}

async function checkNotifications(
  document: ConfigDocument,
): Promise<{ document: ConfigDocument; issues: PlacedIssue[] }> {
  if (document.notifications === undefined) return { document, issues: [] };
  const checked = await Promise.all(document.notifications.map(checkNotification));
  const issues = checked.flatMap((each, index) =>
    each.issues.map(({ path, message }) => ({ path: ['notifications', index, ...path], message })),
  );
  return { document: { ...document, notifications: checked.map(({ endpoint }) => endpoint) }, issues };
}

function checkNames(document: ConfigDocument): PlacedIssue[] {
  const globalRules = document.global?.rules ?? [];
  const sections: readonly (readonly [IssuePath, string, readonly string[]])[] = [
    [['templates'], 'version', (document.templates ?? []).map(referenceTo)],
    [['integrations'], 'name', (document.integrations ?? []).map(({ name }) => name)],
    [['agents'], 'name', (document.agents ?? []).map(({ name }) => name)],
    [['rules'], 'id', (document.rules ?? []).map(({ id }) => id)],
    [['global', 'rules'], 'id', globalRules.map(({ id }) => id)],
    [['notifications'], 'url', (document.notifications ?? []).map(({ url }) => url)],
  ];
  return sections.flatMap(([section, member, names]) => {
    return duplicatesOf(names).map((index) => {
      return { path: [...section, index, member], message: `is the ${member} of another one in the document` };
    });
  });
}

/** Global rules reach over all tenants, so they may only take away, and for good. */
function checkGlobalRules(document: ConfigDocument): PlacedIssue[] {
  return (document.global?.rules ?? []).flatMap((rule, index): PlacedIssue[] => {
    const path = ['global', 'rules', index];
    if (rule.effect !== 'deny')
      return [{ path: [...path, 'effect'], message: 'must be deny: a global rule is a hard deny' }];
    return rule.hard === true
      ? []
      : [{ path: [...path, 'hard'], message: 'must be true: a global rule is a hard deny' }];
  });
}

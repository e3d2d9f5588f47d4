import { type PolicyBundle, PolicyError, type PolicyTestReport, runPolicyTests } from '@postern/policy';
import {
  type ConfigDocument,
  type Integration,
  type PolicyTestDocument,
  policyTestDocumentSchema,
  type Template,
} from '@postern/schemas';
import { effectiveIntegration, findTemplates, policyForm } from '@postern/templates';
import { checkShape, type PlacedIssue, pathOfField, type ShapeCheck } from '../validation/check-shape.ts';

/** The sections of a document that tests run on. */
export type TestedSections = Pick<
  ConfigDocument,
  'rules' | 'global' | 'risk' | 'agents' | 'templates' | 'integrations'
>;

export type TestedPolicy =
  | { readonly report: PolicyTestReport }
  /** Why the policy is none, with the places in the sections. */
  | { readonly issues: readonly PlacedIssue[] };

const SECTIONS = ['rules', 'global', 'risk', 'agents', 'templates', 'integrations'] as const;

/** A file of tests: unknown fields and wrong types are faults. `policy` may stand for the sections, but not beside rules of its own. */
export function checkTestDocument(value: unknown): ShapeCheck<PolicyTestDocument> {
  const checked = checkShape(policyTestDocumentSchema, value);
  const document = checked.value;
  if (document?.policy === undefined) return checked;
  const issues = (['rules', 'global', 'risk'] as const).flatMap((section) => {
    const isGiven = document[section] !== undefined;
    return isGiven ? [{ path: [section], message: 'must not be given beside policy, whose it is' }] : [];
  });
  return issues.length === 0 ? checked : { value: undefined, issues };
}

const policyFileSchema = policyTestDocumentSchema.omit({ policy: true }).partial({ tests: true });

/** The file that `policy` names: a `postern.yaml`, or one like it with tests. */
export function checkPolicyFile(value: unknown): ShapeCheck<TestedSections> {
  return checkShape(policyFileSchema, value);
}

/** Sections of `document` in the place of those of `policy`. */
export function overlaidSections(policy: TestedSections, document: TestedSections): TestedSections {
  const given = SECTIONS.filter((section) => document[section] !== undefined);
  return { ...policy, ...Object.fromEntries(given.map((section) => [section, document[section]])) };
}

/** Runs tests on the sections alone: what they lack is empty. Templates are those of the sections, and the built-in ones. */
export async function runTestsOn(sections: TestedSections, tests: PolicyTestDocument['tests']): Promise<TestedPolicy> {
  const { integrations, issues } = await effectiveIntegrations(sections);
  if (issues.length > 0) return { issues };
  const { rules, global, risk, agents } = sections;
  const bundle: PolicyBundle = { integrations, agents, rules, global, risk };
  try {
    return { report: runPolicyTests(bundle, tests) };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return { issues: cause.issues.map((issue) => placeIssue(issue, sections)) };
  }
}

async function effectiveIntegrations({ integrations = [], templates = [] }: TestedSections) {
  const references = integrations.map(({ template }) => template);
  const findTemplate = await findTemplates(references, templates as readonly Template[]);
  const issues = references.flatMap((reference, index): PlacedIssue[] => {
    if (reference === null || findTemplate(reference) !== undefined) return [];
    return [{ path: ['integrations', index, 'template'], message: 'names no template that is there' }];
  });
  const effective = integrations.map((entry) => {
    // Rules never look at certificates, and a reference to one is read by nobody here.
    const integration: Integration = { ...entry, tls: { ca: null } };
    return policyForm(effectiveIntegration(integration, findTemplate));
  });
  return { integrations: effective, issues };
}

function placeIssue(
  { ruleId, field, position, message }: PolicyError['issues'][number],
  { rules = [], global }: TestedSections,
): PlacedIssue {
  const told = position === undefined ? message : `${message} (at character ${position})`;
  if (ruleId === null) return { path: pathOfField(field), message: told };
  const index = rules.findIndex(({ id }) => id === ruleId);
  if (index !== -1) return { path: ['rules', index, ...pathOfField(field)], message: told };
  const globalIndex = global?.rules.findIndex(({ id }) => id === ruleId) ?? -1;
  return { path: ['global', 'rules', globalIndex, ...pathOfField(field)], message: told };
}

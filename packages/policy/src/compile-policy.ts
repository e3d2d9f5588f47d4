import { PolicyError, type PolicyIssue } from './policy-error.ts';
import { policyVersionOf } from './policy-version.ts';
import { isRecord, type Report } from './read-fields.ts';
import { type ReadRule, readRule, type Selectors } from './read-rule.ts';
import { checkReferences, knownNames, streamsAlways } from './references.ts';
import { OUT_OF_REACH, type RiskThresholds, readRiskThresholds } from './risk/risk-thresholds.ts';
import { type CompiledRule, isClosing, TIERS } from './rule.ts';
import { createRuleIndex, type RuleIndex } from './rule-index.ts';

/**
 * The parts of `postern.yaml` that make a policy, in its shape; what is absent is empty. Nothing is believed: everything the policy
 * uses is checked. The other sections of the document may be present and bear neither on decisions nor on the version.
 */
export interface PolicyBundle {
  readonly integrations?: readonly object[] | undefined;
  readonly agents?: readonly object[] | undefined;
  readonly rules?: readonly object[] | undefined;
  readonly global?: object | undefined;
  readonly risk?: object | null | undefined;
}

export interface CompileOptions {
  /** Refuse agents, integrations and actions that the bundle's own lists lack. Default true; a list that is absent is not held against a rule. */
  readonly checkReferences?: boolean;
  /** Refuse conditions on a body that all actions of the rule pass as it comes. Default as `checkReferences`. */
  readonly checkPhases?: boolean;
  /** False: risk raises no outcome, whatever the thresholds of the bundle. Default true. */
  readonly riskRaises?: boolean;
}

/** An immutable policy. */
export interface CompiledPolicy {
  /** SHA-256 of the canonical bundle, lower-case hex. */
  readonly version: string;
  /** All rules in force, by id. */
  readonly rules: readonly CompiledRule[];
  readonly index: RuleIndex;
  readonly risk: RiskThresholds;
  /** Some rule in force closes by paths: then a path that cannot be read cannot be judged. */
  readonly closesPaths: boolean;
}

const POLICY_SECTIONS = ['integrations', 'agents', 'rules', 'global', 'risk'] as const;
const OTHER_SECTIONS: ReadonlySet<string> = new Set([
  'version',
  'tenant',
  'templates',
  'redaction',
  'secrets',
  'notifications',
  'tests',
]);

/** Throws PolicyError with all faults of the bundle; a policy is compiled whole or not at all. */
export function compilePolicy(bundle: PolicyBundle, options: CompileOptions = {}): CompiledPolicy {
  const issues: PolicyIssue[] = [];
  const report: Report = (field, message) => issues.push({ ruleId: null, field, message });
  if (!isRecord(bundle)) throw new PolicyError([{ ruleId: null, field: '', message: 'must be a policy bundle' }]);
  checkSections(bundle, report);
  const risk = readRiskThresholds(bundle['risk'], report);
  const isChecked = options.checkReferences ?? true;
  const checksPhases = options.checkPhases ?? isChecked;
  const streams = (selectors: Selectors) => checksPhases && streamsAlways(selectors, bundle['integrations']);
  const globals = readGlobalRules(bundle['global'], issues);
  const own = readRules(bundle['rules'], 'rules', issues, streams);
  checkUniqueIds([...globals, ...own], issues);
  if (isChecked) {
    const known = knownNames(bundle['agents'], bundle['integrations']);
    for (const { rule, selectors } of own) checkReferences(selectors, known, reportFor(rule.id, issues));
  }
  const version = versionOf(bundle, report);
  if (issues.length > 0) throw new PolicyError(issues);
  const rules = [...globals, ...own].filter((read) => !read.isDisabled).map((read) => read.rule);
  rules.sort((left, right) => (left.id < right.id ? -1 : 1));
  return {
    version,
    rules,
    index: createRuleIndex(rules),
    risk: options.riskRaises === false ? OUT_OF_REACH : risk,
    closesPaths: rules.some((rule) => rule.paths !== undefined && isClosing(rule) && !rule.isShadow),
  };
}

function checkSections(bundle: Record<string, unknown>, report: Report): void {
  for (const section of Object.keys(bundle)) {
    if (bundle[section] === undefined || OTHER_SECTIONS.has(section)) continue;
    if (!(POLICY_SECTIONS as readonly string[]).includes(section))
      report(section, 'is not a section of a policy bundle');
  }
  for (const section of ['integrations', 'agents']) {
    if (bundle[section] !== undefined && !Array.isArray(bundle[section])) report(section, 'must be a list');
  }
}

/** Global rules reach over all tenants, so they may only ever take away, and for good; their names are of any tenant. */
function readGlobalRules(global: unknown, issues: PolicyIssue[]): ReadRule[] {
  if (global === undefined) return [];
  if (!isRecord(global)) {
    issues.push({ ruleId: null, field: 'global', message: 'must have rules' });
    return [];
  }
  for (const field of Object.keys(global)) {
    if (field !== 'rules') issues.push({ ruleId: null, field: `global.${field}`, message: 'is not a field of global' });
  }
  const rules = readRules(global['rules'], 'global.rules', issues, () => false);
  for (const { rule } of rules) {
    if (rule.tier === TIERS.hardDeny) continue;
    const field = rule.effect === 'deny' ? 'hard' : 'effect';
    reportFor(rule.id, issues)(field, 'must make it a hard deny: a global rule is nothing else');
  }
  return rules;
}

function readRules(
  list: unknown,
  section: string,
  issues: PolicyIssue[],
  streams: (selectors: Selectors) => boolean,
): ReadRule[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) {
    issues.push({ ruleId: null, field: section, message: 'must be a list of rules' });
    return [];
  }
  const rules: ReadRule[] = [];
  for (const [position, source] of list.entries()) {
    const id: unknown = isRecord(source) ? source['id'] : undefined;
    const place = `${section}[${position}]`;
    const report: Report = (field, message, position) => {
      const where = position === undefined ? {} : { position };
      if (typeof id === 'string' && field !== 'id') issues.push({ ruleId: id, field, ...where, message });
      else issues.push({ ruleId: null, field: field === '' ? place : `${place}.${field}`, ...where, message });
    };
    const read = readRule(source, report, streams);
    if (read !== undefined) rules.push(read);
  }
  return rules;
}

/** Ids name rules in decisions and audit entries, so a tenant's rule may not take a global rule's id either. */
function checkUniqueIds(rules: readonly ReadRule[], issues: PolicyIssue[]): void {
  const seen = new Set<string>();
  for (const { rule } of rules) {
    if (seen.has(rule.id)) reportFor(rule.id, issues)('id', 'is the id of another rule');
    seen.add(rule.id);
  }
}

function versionOf(bundle: Record<string, unknown>, report: Report): string {
  const sections = Object.fromEntries(POLICY_SECTIONS.map((section) => [section, bundle[section]]));
  try {
    return policyVersionOf(sections);
  } catch (cause) {
    // Once more, for which of them it was.
    const faults = POLICY_SECTIONS.map((section) => [section, versionFault(bundle[section] ?? null)] as const);
    const found = faults.filter(([, fault]) => fault !== undefined);
    for (const [section, fault] of found.length > 0 ? found : [['', messageOf(cause)] as const])
      report(section, fault ?? '');
    return '';
  }
}

function versionFault(section: unknown): string | undefined {
  try {
    policyVersionOf(section);
    return undefined;
  } catch (cause) {
    return messageOf(cause);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'is not plain JSON data';
}

function reportFor(ruleId: string, issues: PolicyIssue[]): Report {
  return (field, message) => issues.push({ ruleId, field, message });
}

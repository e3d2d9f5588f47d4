import { hostSchema, methodSchema, NAME_PATTERN } from '@postern/schemas';
import { agentSelectorProblem, compileAgentSelectors } from './agent-selectors.ts';
import { readApprovalTerms } from './approval-terms.ts';
import { type Condition, compileCondition } from './condition/condition.ts';
import { Fault } from './condition/fault.ts';
import { readRateLimit } from './limit/rate-limit.ts';
import { compilePathPattern, type PathPattern, pathPatternProblem } from './path-pattern.ts';
import { readPattern } from './path-readings.ts';
import { factsLackedBy } from './phase.ts';
import { isRecord, type Report } from './read-fields.ts';
import {
  type CompiledRule,
  type Effect,
  type RulePattern,
  SELECTING_FIELDS,
  type SelectingField,
  TIERS,
  type Tier,
} from './rule.ts';
import { verdictOf } from './verdict.ts';

/** What `readRule` found. `selectors` holds the lists as written, for the check of references. */
export interface ReadRule {
  readonly rule: CompiledRule;
  readonly selectors: Selectors;
  readonly isDisabled: boolean;
}

export type Selectors = Readonly<Partial<Record<SelectingField, readonly string[]>>>;

const EFFECTS: readonly string[] = ['allow', 'deny', 'require_approval', 'rate_limit'] satisfies Effect[];

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'effect',
  'hard',
  'disabled',
  'shadow',
  'when',
  'limit',
  'approval',
  ...SELECTING_FIELDS,
]);

/** Fields that belong to one effect. */
const FIELDS_OF_EFFECT: readonly (readonly [field: string, effect: Effect])[] = [
  ['limit', 'rate_limit'],
  ['approval', 'require_approval'],
];

/** Fields in which `*` alone may stand for "any", as if the field were absent. */
const FIELDS_WITH_ANY: ReadonlySet<SelectingField> = new Set(['agents', 'integrations']);

const nameProblem = (item: string) =>
  NAME_PATTERN.test(item) ? undefined : 'must be a name of 1 to 64 letters, digits, ".", "_" or "-"';

/** Why an item cannot stand in the list of a field, or undefined. */
const ITEM_PROBLEMS: Record<SelectingField, (item: string) => string | undefined> = {
  agents: agentSelectorProblem,
  integrations: nameProblem,
  actions: nameProblem,
  methods: methodProblem,
  hosts: hostProblem,
  paths: pathPatternProblem,
};

/**
 * Reads one rule, tells every fault to `report`, and answers undefined when there was one. `streams` tells whether all calls that the
 * selectors cover pass their body as it comes.
 */
export function readRule(
  source: unknown,
  report: Report,
  streams: (selectors: Selectors) => boolean,
): ReadRule | undefined {
  if (!isRecord(source)) {
    report('', 'must be a rule with id and effect');
    return undefined;
  }
  let hasFault = false;
  const fault: Report = (field, message, position) => {
    hasFault = true;
    report(field, message, position);
  };
  checkFields(source, fault);
  const selectors: Partial<Record<SelectingField, readonly string[]>> = {};
  for (const field of SELECTING_FIELDS) {
    const list = readList(field, source[field], fault);
    if (list !== undefined) selectors[field] = list;
  }
  const terms: Terms = {
    limit: source['effect'] === 'rate_limit' ? readRateLimit(source['limit'], fault) : undefined,
    approval: source['approval'] === undefined ? undefined : readApprovalTerms(source['approval'], fault),
    when: readCondition(source, streams(selectors), fault),
  };
  if (hasFault) return undefined;
  return { rule: compileRule(source, selectors, terms), selectors, isDisabled: source['disabled'] === true };
}

type Terms = Pick<CompiledRule, 'limit' | 'approval' | 'when'>;

function readCondition(source: Record<string, unknown>, isStreamed: boolean, fault: Report): Condition | undefined {
  const { when, effect } = source;
  if (when === undefined) return undefined;
  if (typeof when !== 'string' || when.trim() === '') {
    fault('when', 'must be an expression; leave it out to match always');
    return undefined;
  }
  try {
    return compileCondition(when, factsLackedBy(effect, isStreamed));
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    fault('when', thrown.message, thrown.position);
    return undefined;
  }
}

function checkFields(source: Record<string, unknown>, fault: Report): void {
  const { id, effect } = source;
  if (typeof id !== 'string' || nameProblem(id) !== undefined) {
    fault('id', 'must be 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit');
  }
  if (typeof effect !== 'string' || !EFFECTS.includes(effect)) fault('effect', `must be ${EFFECTS.join(', ')}`);
  for (const field of ['hard', 'disabled', 'shadow']) {
    const value = source[field];
    if (value !== undefined && typeof value !== 'boolean') fault(field, 'must be true or false');
  }
  if (source['hard'] === true && effect !== 'deny') fault('hard', 'goes with effect deny only');
  for (const [field, owner] of FIELDS_OF_EFFECT) {
    if (source[field] !== undefined && effect !== owner) fault(field, `goes with effect ${owner} only`);
  }
  for (const field of Object.keys(source)) {
    if (source[field] !== undefined && !KNOWN_FIELDS.has(field)) fault(field, 'is not a field of a rule');
  }
}

/** The list of one field; undefined when absent, when it means "any", or when it has a fault. */
function readList(field: SelectingField, value: unknown, fault: Report): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) {
    fault(field, 'must be a list with at least one item; leave it out to select all');
    return undefined;
  }
  const items: string[] = [];
  let isAny = false;
  for (const [position, item] of value.entries()) {
    const place = `${field}[${position}]`;
    if (typeof item !== 'string') {
      fault(place, 'must be a string');
    } else if (items.includes(item)) {
      fault(place, 'repeats an item of the list');
    } else if (item === '*' && FIELDS_WITH_ANY.has(field)) {
      isAny = true;
    } else {
      const problem = ITEM_PROBLEMS[field](item);
      if (problem !== undefined) fault(place, problem);
      items.push(item);
    }
  }
  return isAny ? undefined : items;
}

function compileRule(source: Record<string, unknown>, selectors: Selectors, terms: Terms): CompiledRule {
  const effect = source['effect'] as Effect;
  const id = source['id'] as string;
  const paths = selectors.paths?.map(compileRulePattern).sort(byLiteralPrefix);
  return {
    id,
    effect,
    verdict: verdictOf(id, effect, source['hard'] === true),
    tier: tierOf(effect, source['hard'] === true),
    isShadow: source['shadow'] === true,
    ...terms,
    agents: selectors.agents && compileAgentSelectors(selectors.agents),
    integrations: selectors.integrations && new Set(selectors.integrations),
    actions: selectors.actions && new Set(selectors.actions),
    methods: selectors.methods && new Set(selectors.methods),
    hosts: selectors.hosts && new Set(selectors.hosts),
    paths,
    mayComeTwice: (selectors.agents?.length ?? 0) > 1 || (paths !== undefined && hasSeveralPlaces(paths)),
    fieldsGiven: Object.keys(selectors).length + (terms.when === undefined ? 0 : 1),
  };
}

function tierOf(effect: Effect, isHard: boolean): Tier {
  return effect === 'deny' && isHard ? TIERS.hardDeny : TIERS[effect];
}

function compileRulePattern(text: string): RulePattern {
  const pattern = compilePathPattern(text);
  return { ...pattern, readings: readPattern(pattern) };
}

/** More than one pattern, or one that stands in the index as it may be read, too. */
function hasSeveralPlaces([pattern, ...others]: readonly RulePattern[]): boolean {
  return others.length > 0 || pattern?.readings.split !== pattern?.readings.alike;
}

function byLiteralPrefix(left: PathPattern, right: PathPattern): number {
  return right.literalPrefixLength - left.literalPrefixLength;
}

function methodProblem(item: string): string | undefined {
  return methodSchema.safeParse(item).error?.issues[0]?.message;
}

/** Beside the form, the host must be what a canonical URL makes of it: `0x7f.1` would never be met. */
function hostProblem(item: string): string | undefined {
  const problem = hostSchema.safeParse(item).error?.issues[0]?.message;
  if (problem !== undefined) return problem;
  const canonical = URL.parse(`http://${item}/`)?.hostname;
  if (canonical === item) return undefined;
  return canonical === undefined ? 'is not a host name' : `must be written ${canonical}`;
}

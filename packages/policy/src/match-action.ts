import { methodSchema } from '@postern/schemas';
import { addToPathIndex, collectFromPathIndex, createPathIndex, type PathIndex } from './path-index.ts';
import {
  ANY_SEGMENTS,
  compilePathPattern,
  foldedPath,
  matchesPattern,
  ONE_SEGMENT,
  type PathPattern,
  pathPatternProblem,
} from './path-pattern.ts';
import { isReadAsWritten, type PathReadings, type PatternReadings, readPath, readPattern } from './path-readings.ts';
import { PolicyError, type PolicyIssue } from './policy-error.ts';

/** What of an action tells whether a call is it. `paths` are patterns on the complete canonical path. */
export interface ActionPatterns {
  readonly name: string;
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly risk?: string | undefined;
  readonly approval?: string | undefined;
}

/** The action of a call, or undefined when no action covers it. `path` is complete, canonical and without query. */
export interface ActionMatcher<Action> {
  (method: string, path: string): Action | undefined;
  /** The same for the facts of a call: with what else an upstream may take it for. */
  readonly match: (method: string, path: string) => ActionMatch<Action>;
}

/** The members of `Facts` that tell the action. */
export interface ActionMatch<Action> {
  /** As the path is written; undefined also where an upstream that decodes the path once more would find none. */
  readonly action: Action | undefined;
  readonly otherActions: readonly { readonly action: Action; readonly isBySplit: boolean }[];
}

/**
 * The action of an integration that a call is. Of several that cover it, the one whose pattern is most specific: compared segment by
 * segment from the left, a literal before `*`, `*` before the end of the pattern, that before `**`. Of equal patterns the more careful
 * action: `approval: required` first, then the higher risk, then the lesser name. The order of the list never matters.
 */
export function matchAction<Action extends ActionPatterns>(
  actions: readonly Action[],
  method: string,
  path: string,
): Action | undefined {
  return compileActions(actions)(method, path);
}

/** `matchAction` prepared once per integration. Throws PolicyError for doubled names, bad methods and bad patterns. */
export function compileActions<Action extends ActionPatterns>(actions: readonly Action[]): ActionMatcher<Action> {
  checkActions(actions);
  const byMethod = new Map<string, MethodPlaces<Action>>();
  const places = actions
    .flatMap((action) => action.paths.map((text) => ({ action, pattern: compilePathPattern(text) })))
    .sort(bySpecificity);
  for (const [order, { action, pattern }] of places.entries()) {
    const readings = readPattern(pattern);
    const place = { action, pattern, readings, order, alone: { action, otherActions: NONE } };
    for (const method of action.methods) addPlace(byMethod, method, place);
  }
  const matcher = (method: string, path: string) => {
    const ofMethod = byMethod.get(method);
    return ofMethod === undefined || !path.startsWith('/')
      ? undefined
      : firstPlace(ofMethod.written, foldedPath(path), AS_WRITTEN)?.action;
  };
  const match = (method: string, path: string): ActionMatch<Action> => {
    const ofMethod = byMethod.get(method);
    return ofMethod === undefined || !path.startsWith('/') ? NO_ACTION : matchReadings(ofMethod, foldedPath(path));
  };
  return Object.assign(matcher, { match });
}

const NONE: readonly never[] = Object.freeze([]);
const NO_ACTION: ActionMatch<never> = Object.freeze({ action: undefined, otherActions: NONE });

/** One pattern of one action. */
interface Place<Action> {
  readonly action: Action;
  readonly pattern: PathPattern;
  readonly readings: PatternReadings;
  /** Position among all places of the integration, the most specific first. */
  readonly order: number;
  /** What a call is that nobody could take for another action. */
  readonly alone: ActionMatch<Action>;
}

/** The places of one method. */
interface MethodPlaces<Action> {
  readonly all: Place<Action>[];
  readonly written: PathIndex<Place<Action>>;
  readonly read: PathIndex<Place<Action>>;
  /** Some pattern has capital letters or the like. */
  hasUnusual: boolean;
  /** Some pattern is read in more than one way. */
  hasSeveralReadings: boolean;
}

function addPlace<Action>(byMethod: Map<string, MethodPlaces<Action>>, method: string, place: Place<Action>): void {
  let places = byMethod.get(method);
  if (places === undefined) {
    places = {
      all: [],
      written: createPathIndex(),
      read: createPathIndex(),
      hasUnusual: false,
      hasSeveralReadings: false,
    };
    byMethod.set(method, places);
  }
  const { alike, decoded, split } = place.readings;
  places.all.push(place);
  addToPathIndex(places.written, place.pattern, place);
  for (const pattern of new Set([alike, decoded, split])) addToPathIndex(places.read, pattern, place);
  if (!isOrdinary(place)) places.hasUnusual = true;
  if (split !== alike) places.hasSeveralReadings = true;
}

function isOrdinary({ pattern, readings }: Place<unknown>): boolean {
  return readings.split === pattern;
}

/** The most specific place of the index that fits. */
function firstPlace<Action>(
  index: PathIndex<Place<Action>>,
  path: string,
  patternOf: (place: Place<Action>) => PathPattern,
): Place<Action> | undefined {
  const found: Place<Action>[] = [];
  collectFromPathIndex(index, path, found);
  let first: Place<Action> | undefined;
  for (const place of found) {
    if (first !== undefined && first.order <= place.order) continue;
    if (matchesPattern(patternOf(place), path)) first = place;
  }
  return first;
}

const AS_WRITTEN = ({ pattern }: Place<unknown>) => pattern;
const AS_READ = {
  alike: ({ readings }: Place<unknown>) => readings.alike,
  decoded: ({ readings }: Place<unknown>) => readings.decoded,
  split: ({ readings }: Place<unknown>) => readings.split,
} as const;

function matchReadings<Action>(places: MethodPlaces<Action>, path: string): ActionMatch<Action> {
  const written = firstPlace(places.written, path, AS_WRITTEN);
  if (!places.hasUnusual && isReadAsWritten(path)) return written?.alone ?? NO_ACTION;
  const readings = readPath(path);
  if (readings.isUnreadable) return found(undefined, new Map(places.all.map(({ action }) => [action, false])));
  const others = new Map<Action, boolean>();
  const isKnown = addOthers(others, places, readings, written);
  if (!isKnown && written !== undefined) others.set(written.action, false);
  if (others.size === 0) return written?.alone ?? NO_ACTION;
  return found(isKnown ? written?.action : undefined, others);
}

/** Answers whether all readings that a rule that opens reckons with are of some action. */
function addOthers<Action>(
  others: Map<Action, boolean>,
  places: MethodPlaces<Action>,
  readings: PathReadings,
  written: Place<Action> | undefined,
): boolean {
  let isKnown = true;
  for (const reading of READINGS) {
    const path = readings[reading];
    if (reading !== 'alike' && path === readings.alike && !places.hasSeveralReadings) continue;
    const first = firstPlace(places.read, path, AS_READ[reading]);
    if (first === undefined && reading !== 'split') isKnown = false;
    if (first === undefined || first === written) continue;
    // Ids with slashes in them are written `%2F`. What is more general than the action as it is written is not meant by that.
    if (reading === 'split' && written !== undefined && first.order > written.order) continue;
    for (const { action } of likelyPlaces(places, reading, path, written)) {
      if (action !== written?.action && !others.has(action)) others.set(action, reading === 'split');
    }
  }
  return isKnown;
}

const READINGS = ['alike', 'decoded', 'split'] as const satisfies (keyof PatternReadings)[];

/**
 * The places that an upstream may find for a reading of the path: of those that fit, the more specific ones up to that which the path
 * has as it is written, or to the first that is spelled as it is read.
 */
function likelyPlaces<Action>(
  { read }: MethodPlaces<Action>,
  reading: keyof PatternReadings,
  path: string,
  written: Place<Action> | undefined,
): Place<Action>[] {
  const found: Place<Action>[] = [];
  collectFromPathIndex(read, path, found);
  const fitting = [...new Set(found)].filter(({ readings }) => matchesPattern(readings[reading], path));
  fitting.sort((left, right) => left.order - right.order);
  const last = fitting.findIndex((place) => place === written || isOrdinary(place));
  return last === -1 ? fitting : fitting.slice(0, last + 1);
}

function found<Action>(action: Action | undefined, others: ReadonlyMap<Action, boolean>): ActionMatch<Action> {
  return { action, otherActions: [...others].map(([other, isBySplit]) => ({ action: other, isBySplit })) };
}

type Unplaced = Pick<Place<ActionPatterns>, 'action' | 'pattern'>;

function bySpecificity(left: Unplaced, right: Unplaced): number {
  return (
    comparePatterns(left.pattern.tokens, right.pattern.tokens) ||
    careOf(right.action) - careOf(left.action) ||
    (left.action.name < right.action.name ? -1 : 1)
  );
}

function comparePatterns(left: readonly string[], right: readonly string[]): number {
  for (let position = 0; position < Math.max(left.length, right.length); position += 1) {
    const difference = looseness(left[position]) - looseness(right[position]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function looseness(token: string | undefined): number {
  if (token === undefined) return 2;
  if (token === ANY_SEGMENTS) return 3;
  return token === ONE_SEGMENT ? 1 : 0;
}

const RISK_ORDER: readonly (string | undefined)[] = ['low', 'medium', 'high'];

function careOf(action: ActionPatterns): number {
  const asksApproval = action.approval !== undefined && action.approval !== 'none';
  return (asksApproval ? 10 : 0) + RISK_ORDER.indexOf(action.risk);
}

function checkActions(actions: readonly ActionPatterns[]): void {
  const issues: PolicyIssue[] = [];
  const names = new Set<string>();
  for (const [position, action] of actions.entries()) {
    const report = (field: string, message: string | undefined) => {
      if (message !== undefined) issues.push({ ruleId: null, field: `actions[${position}].${field}`, message });
    };
    if (names.has(action.name)) report('name', 'is the name of another action');
    names.add(action.name);
    for (const field of ['methods', 'paths'] as const) {
      if (action[field].length === 0) report(field, 'must have at least one item');
    }
    for (const [place, method] of action.methods.entries()) {
      report(`methods[${place}]`, methodSchema.safeParse(method).error?.issues[0]?.message);
    }
    for (const [place, path] of action.paths.entries()) report(`paths[${place}]`, pathPatternProblem(path));
  }
  if (issues.length > 0) throw new PolicyError(issues);
}

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
export type ActionMatcher<Action> = (method: string, path: string) => Action | undefined;

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
  const places = actions
    .flatMap((action) => action.paths.map((text) => ({ action, pattern: compilePathPattern(text) })))
    .sort(bySpecificity)
    .map((place, order) => ({ ...place, order }));
  const byMethod = new Map<string, PathIndex<Place<Action>>>();
  for (const place of places) {
    for (const method of place.action.methods) {
      let index = byMethod.get(method);
      if (index === undefined) {
        index = createPathIndex();
        byMethod.set(method, index);
      }
      addToPathIndex(index, place.pattern, place);
    }
  }
  return (method, path) => {
    const index = byMethod.get(method);
    return index === undefined || !path.startsWith('/') ? undefined : firstPlace(index, foldedPath(path))?.action;
  };
}

/** One pattern of one action. */
interface Place<Action> {
  readonly action: Action;
  readonly pattern: PathPattern;
  /** Position among all places of the integration, the most specific first. */
  readonly order: number;
}

function firstPlace<Action>(index: PathIndex<Place<Action>>, path: string): Place<Action> | undefined {
  const found: Place<Action>[] = [];
  collectFromPathIndex(index, path, found);
  let first: Place<Action> | undefined;
  for (const place of found) {
    if (first !== undefined && first.order < place.order) continue;
    if (matchesPattern(place.pattern, path)) first = place;
  }
  return first;
}

function bySpecificity(
  left: Omit<Place<ActionPatterns>, 'order'>,
  right: Omit<Place<ActionPatterns>, 'order'>,
): number {
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

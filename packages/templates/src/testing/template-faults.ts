import { createTargetCanonicaliser } from '@postern/canonicalizer';
import { type ActionMatcher, compileActions } from '@postern/policy';
import { type Action, RISK_TIERS, templateSchema } from '@postern/schemas';
import { checkTemplate } from '../check-template.ts';

/** A request of the provider's documentation, and the action it must be; null: none. The path is complete, a query may follow. */
export type RequestLine = readonly [method: string, path: string, action: string | null];

export interface TemplateCase {
  /** As it would be published: of any shape, since the shape is checked too. */
  readonly template: unknown;
  /** The provider's own domains; each source must lie on one of them, or below. */
  readonly domains: readonly string[];
  readonly lines: readonly RequestLine[];
}

/**
 * What is wrong with a template, in words; empty for a good one. It has the shape, passes the checks of publishing, names sources of
 * its provider; each line finds its action and each action has a line. And no other spelling of a line's path is judged less
 * carefully: a slash at the end, another case, one segment more lead to an action that is as careful, or to none. Where the action
 * wants an approval, the slash must not lead to none either, since many servers take both paths for one.
 */
export function templateFaults({ template, domains, lines }: TemplateCase): readonly string[] {
  const parsed = templateSchema.safeParse(template);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const published = checkTemplate(parsed.data).map(({ field, message }) => `${field}: ${message}`);
  if (published.length > 0) return published;
  const actionOf = compileActions(parsed.data.actions);
  return [
    ...sourceFaults(parsed.data.sources, domains),
    ...lines.flatMap((line) => lineFaults(line, actionOf)),
    ...unreachedActions(parsed.data.actions, lines),
  ];
}

function sourceFaults(sources: readonly string[], domains: readonly string[]): string[] {
  return sources
    .filter((source) => {
      const { protocol, hostname } = new URL(source);
      return protocol !== 'https:' || !domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
    })
    .map((source) => `sources: ${source} is not an https address of ${domains.join(' or ')}`);
}

function lineFaults([method, target, expected]: RequestLine, actionOf: ActionMatcher<Action>): string[] {
  const path = canonicalPath(target);
  const action = actionOf(method, path);
  if ((action?.name ?? null) !== expected) {
    return [`${method} ${path}: is ${action?.name ?? 'no action'}, not ${expected ?? 'no action'}`];
  }
  if (action === undefined) return [];
  return spellingsOf(path).flatMap(({ spelling, isSlashed }) => {
    const other = actionOf(method, spelling);
    if (other === undefined) {
      const isLost = isSlashed && action.approval === 'required';
      return isLost ? [`${method} ${spelling}: is no action, ${path} is ${action.name}, which wants an approval`] : [];
    }
    if (careOf(other) >= careOf(action)) return [];
    return [`${method} ${spelling}: is ${other.name}, less careful than ${action.name}, which ${path} is`];
  });
}

function unreachedActions(actions: readonly Action[], lines: readonly RequestLine[]): string[] {
  const named = new Set(lines.map(([, , action]) => action));
  return actions.filter(({ name }) => !named.has(name)).map(({ name }) => `actions: no line is ${name}`);
}

/** As the gateway sees it. The origin plays no part in it. */
function canonicalPath(target: string): string {
  return createTargetCanonicaliser('https://api.example').fromPath(target).path;
}

interface Spelling {
  readonly spelling: string;
  readonly isSlashed: boolean;
}

function spellingsOf(path: string): Spelling[] {
  const segments = path.split('/');
  const turned = segments.map((segment, place) => segments.with(place, turnCase(segment)).join('/'));
  return [
    { spelling: path.endsWith('/') ? path.slice(0, -1) || '/' : `${path}/`, isSlashed: true },
    { spelling: `${path}/extra`, isSlashed: false },
    ...[...turned, path.toUpperCase(), path.toLowerCase()]
      .filter((spelling) => spelling !== path)
      .map((spelling) => ({ spelling: canonicalPath(spelling), isSlashed: false })),
  ];
}

function turnCase(segment: string): string {
  const [first = ''] = segment;
  const turned = first === first.toUpperCase() ? first.toLowerCase() : first.toUpperCase();
  return turned + segment.slice(1);
}

/** An approval weighs more than any tier. */
function careOf({ risk, approval }: Action): number {
  return (approval === 'required' ? RISK_TIERS.length : 0) + (risk === undefined ? -1 : RISK_TIERS.indexOf(risk));
}

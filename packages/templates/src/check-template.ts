import { CanonicalUrlError, createTargetCanonicaliser } from '@postern/canonicalizer';
import { compileActions, PolicyError } from '@postern/policy';
import { type Action, credentialSchema, type Template } from '@postern/schemas';
import { indistinguishablePatterns } from './indistinguishable-patterns.ts';
import { namesNothing } from './overbroad-pattern.ts';

/** Why a template cannot be published. */
export interface TemplateIssue {
  /** As `actions[2].paths[0]`. */
  readonly field: string;
  /** The name of the action at fault; the message tells it too. */
  readonly action?: string;
  readonly message: string;
}

/** RFC 9110 section 9.2.1, without TRACE, which is never forwarded. */
const READING_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Header names of an action's `volatile`: RFC 9110 section 5.6.2, or the beginning of one followed by `*`. */
const VOLATILE = /^[!#$%&'+.^_`|~0-9A-Za-z-]+\*?$/;

const CREDENTIAL_TYPES: readonly string[] = credentialSchema.options.map((option) => option.shape.type.value);

/**
 * What beyond its shape keeps a template from being published: it stays as it is for good, and integrations trust what its actions
 * are called. Empty for a good one. See the package's README for the rules.
 */
export function checkTemplate(template: Template): readonly TemplateIssue[] {
  const base = checkBaseUrl(template);
  const issues = [
    ...base.issues,
    ...checkHosts(template, base.host),
    ...checkCredential(template),
    ...template.actions.flatMap(checkAction),
  ];
  const patterns = checkPatterns(template.actions);
  if (patterns.length > 0) return [...issues, ...patterns];
  return [...issues, ...checkBreadth(template.actions, base.path), ...checkTellable(template.actions)];
}

/** The versions of a name that are there already. */
export interface FormerVersion {
  readonly version: number;
  readonly provider: string;
}

/** Whether a new version may follow those of its name that are there: its number is above all of theirs, its provider the same. */
export function checkSuccession(template: Template, former: readonly FormerVersion[]): readonly TemplateIssue[] {
  const last = former.reduce<FormerVersion | undefined>((highest, each) => {
    return highest === undefined || each.version > highest.version ? each : highest;
  }, undefined);
  if (last === undefined) return [];
  const issues: TemplateIssue[] = [];
  if (template.version <= last.version) {
    const message = `must be above ${last.version}: versions of a template only rise`;
    issues.push({ field: 'version', message });
  }
  if (template.provider !== last.provider) {
    const message = `must be ${last.provider}, as in version ${last.version}: the provider never changes`;
    issues.push({ field: 'provider', message });
  }
  return issues;
}

function checkBaseUrl({ baseUrl }: Template) {
  try {
    const { base } = createTargetCanonicaliser(baseUrl);
    const canonical = base.url.replace(/\/$/, '');
    const message = base.scheme === 'https' ? `must be written ${canonical}` : 'must be https';
    const isGood = base.scheme === 'https' && canonical === baseUrl;
    return { host: base.host, path: base.path, issues: isGood ? [] : [{ field: 'baseUrl', message }] };
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    const message = `must be an https URL such as https://api.example.com/v1: ${cause.message}`;
    return { host: undefined, path: '/', issues: [{ field: 'baseUrl', message }] };
  }
}

/** Exact names in the form that targets are compared in. */
function checkHosts({ hosts }: Template, baseHost: string | undefined): TemplateIssue[] {
  const issues = hosts.flatMap((host, index): TemplateIssue[] => {
    const canonical = canonicalHost(host);
    if (canonical === host) return [];
    const message = canonical === undefined ? 'is not a host name' : `must be written ${canonical}`;
    return [{ field: `hosts[${index}]`, message }];
  });
  const isLost = baseHost !== undefined && hosts.length > 0 && !hosts.includes(baseHost);
  return isLost ? [...issues, { field: 'hosts', message: `must contain the base URL's host ${baseHost}` }] : issues;
}

function canonicalHost(host: string): string | undefined {
  try {
    return createTargetCanonicaliser(`https://${host}`).base.host;
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    return undefined;
  }
}

function checkCredential({ credential }: Template): TemplateIssue[] {
  if (CREDENTIAL_TYPES.includes(credential.type)) return [];
  return [{ field: 'credential.type', message: `must be one of ${CREDENTIAL_TYPES.join(', ')}` }];
}

function checkAction({ name, risk, volatile }: Action, index: number): TemplateIssue[] {
  const issues = volatile.flatMap((header, place) => {
    const field = `actions[${index}].volatile[${place}]`;
    return VOLATILE.test(header) ? [] : [issueOf(name, field, 'must be a header name')];
  });
  return risk === undefined ? [issueOf(name, `actions[${index}].risk`, 'is required'), ...issues] : issues;
}

/** What the gateway could not compile, among it every path that no canonical URL has. */
function checkPatterns(actions: readonly Action[]): TemplateIssue[] {
  try {
    compileActions(actions);
    return [];
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return cause.issues.map(({ field, message }) => {
      const index = Number(/^actions\[(\d+)\]/.exec(field)?.[1]);
      return issueOf(actions[index]?.name ?? '', field, message);
    });
  }
}

/** A pattern that names nothing covers the whole API. Reading may be so named; of what writes only what a person is asked about. */
function checkBreadth(actions: readonly Action[], basePath: string): TemplateIssue[] {
  return actions.flatMap(({ name, methods, paths, risk, approval }, index) => {
    const writing = methods.filter((method) => !READING_METHODS.has(method));
    if (writing.length === 0 || (risk === 'high' && approval === 'required')) return [];
    return paths.flatMap((path, place) => {
      if (!namesNothing(path, basePath)) return [];
      const told = `is too broad for ${writing.join(', ')}: it names nothing below the base path`;
      const remedy = 'name what it is about, or make the action risk: high with approval: required';
      return [issueOf(name, `actions[${index}].paths[${place}]`, `${told}; ${remedy}`)];
    });
  });
}

function checkTellable(actions: readonly Action[]): TemplateIssue[] {
  return indistinguishablePatterns(actions).map(({ action, place, other, method }) => {
    const name = actions[action]?.name ?? '';
    const field = `actions[${action}].paths[${place}]`;
    const path = actions[action]?.paths[place] ?? '';
    return issueOf(name, field, `cannot be told apart from action ${other}: both cover ${method} ${path}`);
  });
}

function issueOf(action: string, field: string, message: string): TemplateIssue {
  return { field, action, message: `of action ${action}: ${message}` };
}

import { isRecord, type Report, readWhole } from './read-fields.ts';

/** What a grant may be at most, the narrowest first. */
export const GRANT_KINDS = ['once', 'times', 'until', 'rule'] as const;
export type GrantKind = (typeof GRANT_KINDS)[number];

/** On what terms people approve a call: how many, of which groups, how long they have, what they may grant. */
export interface ApprovalTerms {
  readonly approvers: number;
  /** Each must have that many distinct people approve. */
  readonly groups: readonly string[];
  readonly pendingSeconds: number;
  readonly grant: GrantKind;
  readonly executeSeconds: number;
}

/** Specification, section 5. */
export const DEFAULT_APPROVAL: ApprovalTerms = {
  approvers: 1,
  groups: [],
  pendingSeconds: 900,
  grant: 'once',
  executeSeconds: 600,
};

/** 30 days. */
const SECONDS_MAX = 2_592_000;
const APPROVERS_MAX = 20;
const GROUPS_MAX = 20;

/** Reads `approval` of a require_approval rule, with the defaults for what it does not say. */
export function readApprovalTerms(source: unknown, report: Report): ApprovalTerms {
  if (!isRecord(source)) {
    report('approval', `must have ${Object.keys(DEFAULT_APPROVAL).join(', ')}, each optional`);
    return DEFAULT_APPROVAL;
  }
  for (const field of Object.keys(source)) {
    if (source[field] === undefined || Object.hasOwn(DEFAULT_APPROVAL, field)) continue;
    report(`approval.${field}`, 'is not a field of approval');
  }
  const whole = (field: 'approvers' | 'pendingSeconds' | 'executeSeconds', max: number) => {
    const absent = DEFAULT_APPROVAL[field];
    return readWhole(source, `approval.${field}`, { min: 1, max, absent }, report) ?? absent;
  };
  return {
    approvers: whole('approvers', APPROVERS_MAX),
    groups: readGroups(source['groups'], report),
    pendingSeconds: whole('pendingSeconds', SECONDS_MAX),
    grant: readGrant(source['grant'], report),
    executeSeconds: whole('executeSeconds', SECONDS_MAX),
  };
}

function readGroups(list: unknown, report: Report): readonly string[] {
  if (list === undefined) return DEFAULT_APPROVAL.groups;
  const isName = (item: unknown): item is string => typeof item === 'string' && item.length > 0 && item.length <= 64;
  const isList = Array.isArray(list) && list.length <= GROUPS_MAX && list.every(isName);
  if (isList && new Set(list).size === list.length) return [...list].sort();
  report('approval.groups', `must be a list of at most ${GROUPS_MAX} names, each once`);
  return DEFAULT_APPROVAL.groups;
}

function readGrant(value: unknown, report: Report): GrantKind {
  if (value === undefined) return DEFAULT_APPROVAL.grant;
  const grant = GRANT_KINDS.find((kind) => kind === value);
  if (grant === undefined) report('approval.grant', `must be ${GRANT_KINDS.join(', ')}`);
  return grant ?? DEFAULT_APPROVAL.grant;
}

/** The terms that satisfy all of `terms`: one more rule never makes an approval easier. The defaults for none. */
export function strictestTerms(terms: readonly ApprovalTerms[]): ApprovalTerms {
  const [first, ...others] = terms;
  if (first === undefined) return DEFAULT_APPROVAL;
  return others.reduce(
    (left, right) => ({
      approvers: Math.max(left.approvers, right.approvers),
      groups: [...new Set([...left.groups, ...right.groups])].sort(),
      pendingSeconds: Math.min(left.pendingSeconds, right.pendingSeconds),
      grant: GRANT_KINDS.indexOf(left.grant) < GRANT_KINDS.indexOf(right.grant) ? left.grant : right.grant,
      executeSeconds: Math.min(left.executeSeconds, right.executeSeconds),
    }),
    first,
  );
}

import type { Rule } from '@postern/schemas';
import { DEFAULT_APPROVAL } from '../approval-terms.ts';
import { SELECTING_FIELDS } from '../rule.ts';

/** A field as people read it: a list, of which items come and go, or one text. `absent` is what stands for no list. */
type Field =
  | { readonly name: string; readonly items: readonly string[] | undefined; readonly absent: string }
  | { readonly name: string; readonly text: string; readonly isDefault: boolean };

/** The differing fields of two rules of one id, one text each; `disabled` aside. Lists are sets: another order is no difference. */
export function ruleChanges(before: Rule, after: Rule): string[] {
  const old = new Map(fieldsOf(before).map((field) => [field.name, field]));
  return fieldsOf(after).flatMap((field) => {
    const former = old.get(field.name);
    return former === undefined ? [] : (fieldChange(former, field) ?? []);
  });
}

/** A whole rule: `deny, hard; agents role:developer; paths /admin/**`. */
export function describeRule(rule: Rule): string {
  const fields = fieldsOf(rule).flatMap((field) => {
    if ('items' in field) return field.items === undefined ? [] : [`${field.name} ${field.items.join(', ')}`];
    return field.isDefault || field.name === 'effect' ? [] : [`${field.name} ${field.text}`];
  });
  const effect = rule.disabled === true ? `${rule.effect}, disabled` : rule.effect;
  return [effect, ...fields].join('; ');
}

function fieldChange(before: Field, after: Field): string | undefined {
  if ('text' in before && 'text' in after) {
    return before.text === after.text ? undefined : `${after.name} ${before.text} → ${after.text}`;
  }
  if (!('items' in before && 'items' in after)) return undefined;
  const { items: old, absent } = before;
  const { items: now, name } = after;
  if (old === undefined || now === undefined) {
    return old === now ? undefined : `${name} ${old?.join(', ') ?? absent} → ${now?.join(', ') ?? absent}`;
  }
  const added = now.filter((item) => !old.includes(item));
  const removed = old.filter((item) => !now.includes(item));
  const parts = [
    ...(added.length === 0 ? [] : [`+ ${added.join(', ')}`]),
    ...(removed.length === 0 ? [] : [`− ${removed.join(', ')}`]),
  ];
  return parts.length === 0 ? undefined : `${name} ${parts.join(' ')}`;
}

/** In the order in which people ask: what it does, to which calls, on what terms. Always the same fields, so that two rules compare. */
function fieldsOf(rule: Rule): Field[] {
  return [
    text('effect', rule.effect, undefined),
    text('hard', yesOrNo(rule.hard), 'no'),
    text('shadow', yesOrNo(rule.shadow), 'no'),
    ...SELECTING_FIELDS.map((name): Field => ({ name, items: rule[name], absent: '(all)' })),
    text('when', rule.when ?? NONE, NONE),
    ...limitFields(rule.limit),
    ...approvalFields(rule.approval),
  ];
}

const NONE = '(none)';

function limitFields(limit: Rule['limit']): Field[] {
  return [
    text('requests', String(limit?.requests ?? NONE), NONE),
    text('perSeconds', String(limit?.perSeconds ?? NONE), NONE),
    { name: 'per', items: limit?.per, absent: 'agent' },
  ];
}

function approvalFields(approval: Rule['approval']): Field[] {
  const terms = approval ?? DEFAULT_APPROVAL;
  const term = (name: 'approvers' | 'pendingSeconds' | 'grant' | 'executeSeconds') =>
    text(name, String(terms[name]), String(DEFAULT_APPROVAL[name]));
  const groups: Field = { name: 'groups', items: terms.groups.length === 0 ? undefined : terms.groups, absent: NONE };
  return [term('approvers'), groups, term('pendingSeconds'), term('grant'), term('executeSeconds')];
}

function text(name: string, value: string, standard: string | undefined): Field {
  return { name, text: value, isDefault: value === standard };
}

function yesOrNo(value: boolean | undefined): string {
  return value === true ? 'yes' : 'no';
}

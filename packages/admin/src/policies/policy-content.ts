import { canonicalJson } from '@postern/canonicalizer';
import type { PolicyContent } from '@postern/policy';
import { riskSchema, ruleSchema } from '@postern/schemas';
import { z } from 'zod';
import type { PolicyRecords } from '../config/current-state.ts';
import { checkShape, toValidationIssue } from '../validation/check-shape.ts';
import { invalid } from '../validator.ts';

const contentSchema = z.strictObject({ rules: z.array(ruleSchema), risk: riskSchema });

/** What of the stored policy a version keeps: risk, and all rules but those that were removed, by id. */
export function contentOf({ rules, risk }: Pick<PolicyRecords, 'rules' | 'risk'>): PolicyContent {
  const kept = rules.filter(({ spec, disabledAt }) => disabledAt === undefined || spec.disabled === true);
  return orderedContent({ risk, rules: kept.map(({ spec }) => spec) });
}

/** The order of rules decides nothing, so it makes no other bytes either. */
export function orderedContent({ risk, rules }: PolicyContent): PolicyContent {
  return { risk, rules: [...rules].sort((left, right) => (left.id < right.id ? -1 : 1)) };
}

/** With what later fields are when they are absent: the form in which two contents mean the same only if they are equal. */
export function completeContent(content: PolicyContent): PolicyContent {
  return orderedContent(contentSchema.parse(content));
}

/** The RFC 8785 text of which a version's `contentHash` is the SHA-256. */
export function policyDocument(content: PolicyContent): string {
  return canonicalText(content);
}

/** The RFC 8785 text of a part of a policy. Members that are undefined are absent. */
export function canonicalText(part: object): string {
  return canonicalJson(JSON.parse(JSON.stringify(part)));
}

/**
 * The content of a version, as it was written. Throws `validation_failed` when it has not the form that this program knows: an old
 * version is brought back whole or not at all.
 */
export function readPolicyDocument(document: string): PolicyContent {
  const content: unknown = JSON.parse(document);
  const checked = checkShape(contentSchema, content);
  if (checked.value === undefined) throw invalid(checked.issues.map((issue) => toValidationIssue(issue)));
  // Not what the check made of it: that has defaults of later fields in it, and the bytes would be others.
  return content as PolicyContent;
}

import type { Action, Integration, Risk, Rule } from '@postern/schemas';
import type { PolicyBundle } from '../compile-policy.ts';
import { policyVersionOf } from '../policy-version.ts';

/** All that a tenant's decisions are made by. Rules that are not in force are not among it. */
export interface PolicyParts {
  readonly integrations: readonly BundledIntegration[];
  readonly rules: readonly Rule[];
  readonly globalRules: readonly Rule[];
  readonly risk: Risk;
}

export type BundledIntegration = Pick<Integration, 'name' | 'actions'>;

/**
 * The bundle of which the policy version is the digest, so that data plane and control plane name the same one: rules, global rules,
 * risk, and of integrations what decisions look at. Time limits, credentials and the like change no decision and so no version. Lists
 * are put in order of names, for their order changes nothing either.
 */
export function policyBundle({ integrations, rules, globalRules, risk }: PolicyParts): PolicyBundle {
  return {
    integrations: sorted(integrations, ({ name }) => name).map(bundledIntegration),
    rules: sorted(rules, ({ id }) => id),
    global: { rules: sorted(globalRules, ({ id }) => id) },
    risk,
  };
}

/** The version that `compilePolicy` gives to the bundle of `parts`, without compiling it: whether it can be, this does not say. */
export function bundleVersion(parts: PolicyParts): string {
  return policyVersionOf(policyBundle(parts));
}

function bundledIntegration({ name, actions }: BundledIntegration): object {
  return { name, actions: sorted(actions, (action) => action.name).map(bundledAction) };
}

function bundledAction({ name, methods, paths, risk, approval, body }: Action): object {
  return { name, methods, paths, risk, approval, body };
}

function sorted<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  return [...items].sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
}

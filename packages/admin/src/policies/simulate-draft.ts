import { setImmediate } from 'node:timers/promises';
import {
  bundleVersion,
  type CompiledPolicy,
  compilePolicy,
  type PolicyBundle,
  PolicyError,
  type PolicyIssue,
  type PolicyParts,
  policyBundle,
} from '@postern/policy';
import { Rejection, type Risk, type Rule, riskSchema, ruleSchema, type ValidationIssue } from '@postern/schemas';
import { z } from 'zod';
import { toldFault } from '../config/policy-check.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { invalid } from '../validator.ts';
import { findVersion } from './activate-version.ts';
import { readPolicyDocument } from './policy-content.ts';
import { readPolicyInForce } from './policy-in-force.ts';
import { RecordedAgents } from './recorded-agents.ts';
import type { SimulatedPolicies } from './simulate-calls.ts';
import { createReplayGround } from './simulate-recorded-call.ts';
import { RecordedRisks } from './simulate-risks.ts';
import { refOf } from './version-guard.ts';

/** A draft that is simulated: sections as in `postern.yaml`, or a stored version. A section that it lacks stays as it is in force. */
export const draftSchema = z
  .strictObject({
    rules: z.array(ruleSchema).optional(),
    risk: riskSchema.optional(),
    global: z.strictObject({ rules: z.array(ruleSchema).default([]) }).optional(),
    policy: z.string().min(1).max(128).optional().describe('Id or number of a stored version, instead of sections'),
  })
  .superRefine(({ policy, ...sections }, context) => {
    const isGiven = Object.values(sections).some((section) => section !== undefined);
    if (policy === undefined && !isGiven) {
      context.addIssue({ code: 'custom', path: ['rules'], message: 'is required, or risk, global or policy' });
    }
    if (policy !== undefined && isGiven) {
      context.addIssue({ code: 'custom', path: ['policy'], message: 'must not be given together with sections' });
    }
  });

/** The sections of a draft. */
export interface DraftSections {
  readonly rules?: readonly Rule[] | undefined;
  readonly risk?: Risk | undefined;
  readonly globalRules?: readonly Rule[] | undefined;
}

export interface SimulationGround extends SimulatedPolicies {
  /** What the draft names and the tenant does not have. */
  readonly warnings: readonly ValidationIssue[];
}

/**
 * The policy in force and the draft beside it, compiled as the data plane compiles them.
 *
 * @throws Rejection `validation_failed` for a draft that could not be saved, `conflict` when the policy in force is unusable.
 */
export async function readSimulationGround(
  dependencies: Pick<AdminDependencies, 'repositories'>,
  tenant: string,
  draft: DraftSections,
): Promise<SimulationGround> {
  const { integrations, parts } = await readPolicyInForce(dependencies, tenant);
  const drafted = draftedParts(parts, draft);
  const agents = new RecordedAgents(dependencies.repositories.agents, tenant);
  const named = namedAgents(drafted);
  await agents.learn(named);
  const current = compileInForce(parts);
  // Each takes a while where there are many rules, and calls wait to be served.
  await setImmediate();
  const { policy, warnings } = compileDraft(
    drafted,
    draft,
    named.filter((name) => agents.get(name) !== undefined),
  );
  return {
    current,
    draft: policy,
    ground: createReplayGround({
      integrations,
      agents,
      currentVersion: current.version,
      risks: new RecordedRisks(dependencies.repositories, tenant, { version: current.version, risk: parts.risk }),
    }),
    warnings,
  };
}

/** The sections of a stored version. @throws Rejection `not_found` */
export async function readStoredDraft(
  { repositories }: Pick<AdminDependencies, 'repositories'>,
  tenant: string,
  given: string,
): Promise<DraftSections> {
  return readPolicyDocument((await findVersion(repositories, tenant, refOf(given))).document);
}

function draftedParts(inForce: PolicyParts, { rules, globalRules, risk }: DraftSections): PolicyParts {
  const enabled = (list: readonly Rule[]) => list.filter(({ disabled }) => disabled !== true);
  return {
    integrations: inForce.integrations,
    rules: rules === undefined ? inForce.rules : enabled(rules),
    globalRules: globalRules === undefined ? inForce.globalRules : enabled(globalRules),
    risk: risk ?? inForce.risk,
  };
}

function compileInForce(parts: PolicyParts): CompiledPolicy {
  try {
    return compilePolicy(policyBundle(parts), { checkReferences: false });
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new Rejection('conflict', 'The policy in force cannot be compiled, so nothing can be compared with it.', {
      cause,
    });
  }
}

interface CompiledDraft {
  readonly policy: CompiledPolicy;
  /** Agents, integrations and actions that the rules name and nobody has: it could not be saved so. */
  readonly warnings: readonly ValidationIssue[];
}

/** What the rules select agents by; selectors that are no names lead to no agent. */
function namedAgents({ rules, globalRules }: PolicyParts): readonly string[] {
  return [...rules, ...globalRules].flatMap(({ agents = [] }) => agents);
}

/** `agents`: those that there are of all that the rules name. */
function compileDraft(parts: PolicyParts, draft: DraftSections, agents: readonly string[]): CompiledDraft {
  const bundle = policyBundle(parts);
  const place = ({ issues }: PolicyError) => issues.map((issue) => placeIssue(issue, draft));
  try {
    const policy = compilePolicy({ ...bundle, agents: agents.map((name) => ({ name })) });
    // Agents are facts of calls and no part of a version.
    return { policy: { ...policy, version: bundleVersion(parts) }, warnings: [] };
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return { policy: compileUnreferenced(bundle, place), warnings: place(cause) };
  }
}

function compileUnreferenced(bundle: PolicyBundle, place: (fault: PolicyError) => ValidationIssue[]): CompiledPolicy {
  try {
    return compilePolicy(bundle, { checkReferences: false, checkPhases: true });
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw invalid(place(cause));
  }
}

/** Where in the draft the fault stands; one of what stays in force is told by the rule's id. */
function placeIssue(issue: PolicyIssue, { rules = [], globalRules = [] }: DraftSections): ValidationIssue {
  const { ruleId, field } = issue;
  const told = toldFault(issue);
  if (ruleId === null) return { field, ...told };
  const index = rules.findIndex(({ id }) => id === ruleId);
  if (index !== -1) return { field: `rules[${index}].${field}`, ...told };
  const globalIndex = globalRules.findIndex(({ id }) => id === ruleId);
  if (globalIndex !== -1) return { field: `global.rules[${globalIndex}].${field}`, ...told };
  return { field: 'rules', ...told, message: `rule ${ruleId}, which stays in force: ${field} ${told.message}` };
}

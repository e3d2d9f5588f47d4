import { setImmediate as turn } from 'node:timers/promises';
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { Environment } from '@marcbachmann/cel-js';
import { compilePolicy, decide, type Facts } from '@postern/policy';
import type { Plan } from '../plan.ts';
import { inRounds } from '../rounds.ts';
import { type Figure, figureOf } from '../statistics.ts';

/** What a decision costs by itself, in one process that does nothing else. */
export interface Decisions {
  /** Microseconds a decision. */
  readonly micros: Readonly<Record<Contender, Figure>>;
  /** Of the medians of two contenders. */
  readonly ratios: Readonly<Record<'conditionsOverBare' | 'manyOverFew' | 'cedarOverConditions', number>>;
}

export const CONTENDERS = {
  conditions: 'Postern, 1,000 rules, 50 candidates with a condition',
  bare: '50 bare evaluations of these conditions (cel-js, parsed once)',
  cedar: 'Cedar (wasm, pre-parsed), the same 1,000 rules',
  rules100: 'Postern, 100 rules, 10 candidates',
  rules10000: 'Postern, 10,000 rules, the same 10 candidates',
  plain: 'Postern, 1,000 rules, 50 candidates without a condition',
  paths: 'Postern, 1,000 rules on paths, 10 candidates',
} as const;
export type Contender = keyof typeof CONTENDERS;

const CANDIDATES = 50;
const CALL = {
  amount: 4_200,
  currency: 'eur',
  description: 'two boxes of paper',
  metadata: { order: 'o-17' },
};

/** Five kinds of condition in turn, each written for both languages. All but every tenth hold for the call. */
const CONDITIONS: readonly ((position: number) => { readonly cel: string; readonly cedar: string })[] = [
  (position) => ({
    cel: `request.body.amount <= ${5000 + position} && agent.trust >= 2`,
    cedar: `context.body.amount <= ${5000 + position} && context.agent.trust >= 2`,
  }),
  (position) => ({
    cel: `request.body.currency in ["eur", "usd", "c${position}"]`,
    cedar: `["eur", "usd", "c${position}"].contains(context.body.currency)`,
  }),
  (position) => ({
    cel: `has(request.body.metadata.order) && request.body.metadata.order != "o-${position + 100}"`,
    cedar: `context.body.metadata has order && context.body.metadata.order != "o-${position + 100}"`,
  }),
  (position) => ({
    cel: `request.method == "POST" && agent.environment == "dev" && request.body.amount > ${position}`,
    cedar: `context.method == "POST" && context.agent.environment == "dev" && context.body.amount > ${position}`,
  }),
  (position) => ({
    cel: `!(request.body.description == "d${position}") || "role${position}" in agent.roles`,
    cedar: `!(context.body.description == "d${position}") || context.agent.roles.contains("role${position}")`,
  }),
];

const FACTS: Facts = {
  tenant: 'default',
  agent: { name: 'coder', roles: ['developer'], trust: 2, environment: 'dev' },
  request: {
    method: 'POST',
    url: 'https://api.example.com/v1/charges',
    target: { scheme: 'https', host: 'api.example.com', port: 443, path: '/v1/charges' },
    headers: [],
    body: CALL,
    bodyInspected: true,
  },
  integration: { name: 'payments' },
  action: { name: 'charges.create', risk: 'low' },
  now: Date.UTC(2026, 0, 1),
};

function conditionFor(position: number) {
  const make = CONDITIONS[position % CONDITIONS.length];
  if (make === undefined) throw new RangeError('there are no conditions');
  return make(position);
}

/** A decision of each contender, ready to be run again and again. */
function prepare(): Record<Contender, () => unknown> {
  const withConditions = policyOf(1000, CANDIDATES, (position) => ({ when: conditionFor(position).cel }));
  const plain = policyOf(1000, CANDIDATES, () => ({}));
  const few = policyOf(100, 10, () => ({}));
  const many = policyOf(10_000, 10, () => ({}));
  const paths = policyOf(1000, 1000, (position) => ({
    effect: position < 10 || position % 2 === 0 ? 'allow' : 'deny',
    paths: [position < 10 ? '/v1/charges/**' : `/v1/other-${position}/**`],
  }));
  const judge = (policy: ReturnType<typeof policyOf>) => () => decide(policy, FACTS, { trace: false });
  return {
    conditions: judge(withConditions),
    bare: bareEvaluations(),
    cedar: cedarDecision(),
    rules100: judge(few),
    rules10000: judge(many),
    plain: judge(plain),
    paths: judge(paths),
  };
}

/** `count` rules of which the call is a candidate for the first `candidates`. Risk is set out of reach: it is not what is measured. */
function policyOf(count: number, candidates: number, more: (position: number) => object) {
  const rules = Array.from({ length: count }, (_, position) => ({
    id: `r${position}`,
    effect: 'allow',
    integrations: [position < candidates ? 'payments' : `other-${position % 97}`],
    methods: ['POST'],
    ...more(position),
  }));
  return compilePolicy({ rules, risk: { review: 1, deny: 1 } });
}

function bareEvaluations(): () => unknown {
  const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });
  const expressions = Array.from({ length: CANDIDATES }, (_, position) =>
    environment.parse(conditionFor(position).cel),
  );
  const { agent } = FACTS;
  const context = {
    agent: { ...agent, trust: BigInt(agent.trust) },
    request: { method: 'POST', body: { ...CALL, amount: BigInt(CALL.amount) } },
  };
  return () => expressions.map((expression) => expression(context));
}

function cedarDecision(): () => unknown {
  const policies = Array.from({ length: 1000 }, (_, position) => {
    const resource = position < CANDIDATES ? 'payments' : `other-${position % 97}`;
    const head = `permit(principal, action == Action::"POST", resource == Integration::"${resource}")`;
    return `${head} when { ${conditionFor(position).cedar} };`;
  });
  const parsed = preparsePolicySet('decisions', { staticPolicies: policies.join('\n') });
  if (parsed.type === 'failure') throw new Error(`Cedar refuses the rules: ${parsed.errors[0]?.message}`);
  const call = {
    principal: { type: 'Agent', id: 'coder' },
    action: { type: 'Action', id: 'POST' },
    resource: { type: 'Integration', id: 'payments' },
    context: { method: 'POST', body: CALL, agent: { roles: ['developer'], trust: 2, environment: 'dev' } },
    preparsedPolicySetId: 'decisions',
    entities: [],
  };
  return () => {
    const answer = statefulIsAuthorized(call);
    if (answer.type === 'failure' || answer.response.decision !== 'allow')
      throw new Error('Cedar does not allow the call');
    return answer;
  };
}

export async function measureDecisions({ rounds, decisionWindowMs }: Plan): Promise<Decisions> {
  const decisions = prepare();
  const contenders = Object.keys(CONTENDERS) as Contender[];
  for (const name of contenders) await microsEach(decisions[name], decisionWindowMs);
  const taken = await inRounds(contenders, rounds, (name) => microsEach(decisions[name], decisionWindowMs));
  const micros = Object.fromEntries(
    [...taken].map(([name, values]) => [name, figureOf(values)]),
  ) as Decisions['micros'];
  const ratio = (over: Contender, under: Contender) => micros[over].median / micros[under].median;
  return {
    micros,
    ratios: {
      conditionsOverBare: ratio('conditions', 'bare'),
      manyOverFew: ratio('rules10000', 'rules100'),
      cedarOverConditions: ratio('cedar', 'conditions'),
    },
  };
}

async function microsEach(decision: () => unknown, windowMs: number): Promise<number> {
  // Whoever interrupts the benchmark is heard between two windows.
  await turn();
  let count = 0;
  const startedAt = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < windowMs) {
    for (let repeat = 0; repeat < 10; repeat += 1) decision();
    count += 10;
    elapsedMs = performance.now() - startedAt;
  }
  return (elapsedMs * 1000) / count;
}

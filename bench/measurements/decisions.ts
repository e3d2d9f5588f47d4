/**
 * What a decision costs: `node bench/measurements/decisions.ts [ROUNDS]`. Prints a table; the contenders take turns, so that the ratios
 * of one run hold on a restless machine.
 */
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { Environment } from '@marcbachmann/cel-js';
import { compilePolicy, decide, type Facts } from '@postern/policy';
import { markdownTable } from '../markdown-table.ts';
import { type Figure, figureOf } from '../statistics.ts';

export interface DecisionFigures {
  /** Microseconds each, by contender. */
  readonly micros: ReadonlyMap<Contender, Figure>;
}

const CONTENDERS = {
  conditions: 'decide, 1,000 rules, 50 candidates with a condition',
  bare: '50 bare evaluations of the same expressions (cel-js, parsed once)',
  cedar: 'Cedar (wasm, pre-parsed), the same 1,000 rules',
  rules100: 'decide, 100 rules, 10 candidates',
  rules10000: 'decide, 10,000 rules, the same 10 candidates',
  plain: 'decide, 1,000 rules, 50 candidates without a condition',
} as const;
type Contender = keyof typeof CONTENDERS;

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
  const judge = (policy: ReturnType<typeof policyOf>) => () => decide(policy, FACTS, { trace: false });
  return {
    conditions: judge(withConditions),
    bare: bareEvaluations(),
    cedar: cedarDecision(),
    rules100: judge(few),
    rules10000: judge(many),
    plain: judge(plain),
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

export function measureDecisions(rounds: number, windowMs: number): DecisionFigures {
  const decisions = prepare();
  const names = Object.keys(CONTENDERS) as Contender[];
  const taken = new Map<Contender, number[]>(names.map((name) => [name, []]));
  for (const name of names) microsEach(decisions[name], windowMs);
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) taken.get(name)?.push(microsEach(decisions[name], windowMs));
  }
  return { micros: new Map([...taken].map(([name, values]) => [name, figureOf(values)])) };
}

function microsEach(decision: () => unknown, windowMs: number): number {
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

export function decisionTable({ micros }: DecisionFigures): string {
  const median = (name: Contender) => micros.get(name)?.median ?? Number.NaN;
  const rows = [...micros].map(([name, { median: middle, min, max }]) => [
    CONTENDERS[name],
    middle.toFixed(2),
    `${min.toFixed(2)} to ${max.toFixed(2)}`,
  ]);
  const ratios = [
    [
      '50 conditions over 50 bare evaluations (goal: at most 1.5)',
      (median('conditions') / median('bare')).toFixed(2),
      '',
    ],
    ['10,000 rules over 100 (goal: at most 1.3)', (median('rules10000') / median('rules100')).toFixed(2), ''],
    ['Cedar over decide', (median('cedar') / median('conditions')).toFixed(2), ''],
  ];
  return markdownTable(['microseconds a decision', 'median', 'rounds'], [...rows, ...ratios]);
}

if (import.meta.main) {
  const rounds = Number(process.argv[2] ?? 7);
  process.stdout.write(`${decisionTable(measureDecisions(rounds, 300))}\n`);
}

import { generateAgentKey } from '@postern/auth';

export interface PosternSize {
  readonly agents: number;
  readonly rules: number;
  /** With a rate limit that each call spends and none reaches. */
  readonly hasRateLimit?: boolean;
  /** With another integration, `unsearched`, that differs in this alone: its answers are not searched for the credential. */
  readonly hasUnsearchedTwin?: boolean;
}

/** A start-up file (JSON is YAML) for `size`, and the keys of its agents. */
export function posternConfig(
  upstream: { readonly port: number; readonly secret: string },
  size: PosternSize,
): { text: string; keys: string[] } {
  const keys = Array.from({ length: size.agents }, () => generateAgentKey().key);
  const document = {
    version: 1,
    secrets: { 'upstream-token': { value: upstream.secret } },
    integrations: [
      integrationOf('upstream', upstream.port),
      ...(size.hasUnsearchedTwin === true ? [{ ...integrationOf('unsearched', upstream.port), scrub: false }] : []),
    ],
    agents: keys.map((key, index) => ({ name: `agent-${index}`, roles: ['developer'], trust: 'medium', key })),
    rules: rulesOf(size),
  };
  return { text: `${JSON.stringify(document, undefined, 1)}\n`, keys };
}

function integrationOf(name: string, port: number): object {
  return {
    name,
    baseUrl: `http://127.0.0.1:${port}`,
    credential: { type: 'bearer', secret: 'upstream-token' },
    network: { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true },
    actions: [{ name: 'chat', methods: ['POST'], paths: ['/v1/chat/**'] }],
  };
}

/** The last rule is the one that allows the call; those before it are what a grown rule book holds, and none is `disabled`. */
function rulesOf({ rules, hasRateLimit = false, hasUnsearchedTwin = false }: PosternSize): object[] {
  const integrations = ['upstream', ...(hasUnsearchedTwin ? ['unsearched'] : [])];
  const others = Array.from({ length: rules - 1 }, (_, index) => otherRule(index, integrations));
  const limit = { requests: 1_000_000, perSeconds: 10, per: ['agent'] };
  const limits = hasRateLimit ? [{ id: 'pace', effect: 'rate_limit', integrations, limit }] : [];
  return [
    ...others,
    ...limits,
    { id: 'chat', effect: 'allow', agents: ['role:developer'], integrations, actions: ['chat'] },
  ];
}

/** In turn: a neighbouring path of the same integration and role, another team's, a hard deny, a deny by action-less method and path. */
function otherRule(index: number, integrations: readonly string[]): object {
  const id = `rule-${index}`;
  switch (index % 4) {
    case 0:
      return { id, effect: 'allow', agents: ['role:developer'], integrations, paths: [`/v1/things-${index}/**`] };
    case 1:
      return { id, effect: 'allow', agents: [`role:team-${index}`], integrations, methods: ['GET', 'POST'] };
    case 2:
      return { id, effect: 'deny', hard: true, integrations, paths: [`/admin/area-${index}/**`] };
    default:
      return { id, effect: 'deny', methods: ['POST'], integrations, paths: [`/v1/chat/rooms-${index}/**`] };
  }
}

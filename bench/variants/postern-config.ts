import { generateAgentKey } from '@postern/auth';

export interface PosternSize {
  readonly agents: number;
  readonly rules: number;
  /** Whether answers are searched for the credential; default: yes. */
  readonly scrub?: boolean;
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
      {
        name: 'upstream',
        baseUrl: `http://127.0.0.1:${upstream.port}`,
        credential: { type: 'bearer', secret: 'upstream-token' },
        ...(size.scrub === undefined ? {} : { scrub: size.scrub }),
        network: { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true },
        actions: [{ name: 'chat', methods: ['POST'], paths: ['/v1/chat/**'] }],
      },
    ],
    agents: keys.map((key, index) => ({ name: `agent-${index}`, roles: ['developer'], trust: 'medium', key })),
    rules: rulesOf(size.rules),
  };
  return { text: `${JSON.stringify(document, undefined, 1)}\n`, keys };
}

/** The last rule is the one that allows the call; those before it are what a grown rule book holds, and none is `disabled`. */
function rulesOf(count: number): object[] {
  const others = Array.from({ length: count - 1 }, (_, index) => otherRule(index));
  return [
    ...others,
    { id: 'chat', effect: 'allow', agents: ['role:developer'], integrations: ['upstream'], actions: ['chat'] },
  ];
}

/** In turn: a neighbouring path of the same integration and role, another team's, a hard deny, a deny by action-less method and path. */
function otherRule(index: number): object {
  const id = `rule-${index}`;
  const integrations = ['upstream'];
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

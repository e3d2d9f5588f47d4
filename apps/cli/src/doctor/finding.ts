/**
 * Every mistake that the doctor knows, and what it is in a few words. Codes are stable: scripts rely on them. The guide lists them.
 */
export const MISTAKES = {
  'node-too-old': 'this Node cannot run the gateway',
  'proxy-ignored': '`HTTP_PROXY` and the like are set, which the gateway does not follow',
  'variable-unknown': 'a variable `POSTERN_…` that nothing reads: misspelled?',
  'folder-missing': 'the data folder does not exist',
  'folder-unreadable': 'the data folder belongs to another user, and cannot be read',
  'folder-open': 'other users can read the data folder, or a secret in it',
  'folder-foreign': 'the data folder belongs to another user than who runs this',
  'folder-in-checkout': 'the data folder lies in a repository, where agents work',
  'disk-full': 'little space is left for the audit log',
  'master-key-missing': 'there is no master key beside the database',
  'master-key-unusable': 'the master key is too short, or not a key at all',
  'admin-token-missing': 'there is no admin token to ask the gateway with',
  'admin-token-short': 'the admin token can be guessed',
  'gateway-absent': 'no gateway runs there',
  'gateway-unreachable': 'nothing answers at the address of the control plane',
  'gateway-not-ready': 'the gateway says itself that it is not ready',
  'redis-away': 'Redis does not answer',
  'wrong-port': 'what answers is not the control plane',
  'token-refused': 'the control plane does not take the token',
  'cleartext-listener': 'keys or tokens cross the network in clear',
  'public-url-unreachable': 'nothing answers at the public URL',
  'public-url-wrong': 'at the public URL something else answers',
  'clock-skew': 'two clocks disagree',
  'nodes-without-redis': 'several nodes run, and not all have a Redis: rate limits count on each by itself',
  'nodes-differ': 'nodes on one database run different versions',
  'database-role': 'the role of the database, or its settings, weaken a second wall or the log',
  'agent-disabled': 'the agent that calls is disabled',
  'agent-without-owner': 'nobody is kept from approving the calls of an own agent',
  'agent-without-key': 'an agent has no key, and cannot call',
  'keys-expired': 'all keys of an agent have expired or are revoked',
  'key-expired': 'one of several keys of an agent has expired',
  'key-expiring': 'the last key of an agent ends within a week',
  'environment-mismatch': 'no agent is of an environment that an integration, and its secret, are for',
  'secret-missing': 'the secret of a credential does not exist',
  'cleartext-credential': 'a secret is sent over `http`',
  'credential-failing': 'tokens for a credential cannot be had',
  'integration-disabled': 'the integration that is called is disabled',
  'template-missing': 'the template of an integration does not exist',
  'no-allow-rule': 'no rule allows any call to an integration: the default is deny',
  'rule-names-nothing': 'a rule names an agent, integration or action that does not exist',
  'rule-without-agents': 'no agent has what a rule asks for',
  'rule-shadowed': 'what a rule allows, another denies altogether',
  'rule-outside-base': 'a rule or action names paths that no call to the integration has',
  'host-unresolved': 'the name of an upstream has no address',
  'host-private': 'an upstream lies at an address that is not opened',
  'upstream-unreachable': 'no connection to an upstream can be made',
  'upstream-tls': 'the certificate of an upstream is not accepted',
  'scorer-unreachable': 'no connection to the risk scorer can be made',
  'scorer-failing': 'the risk scorer does not answer, or answers no score',
  'credential-missing': 'an upstream asks for a credential, and the integration has none',
  'credential-refused': 'an upstream does not take the credential',
  'credential-unavailable': 'calls end because their credential could not be opened',
  'base-path-doubled': 'calls repeat the path of the base URL',
  'integration-unknown': 'agents call an integration that does not exist',
} as const;

export type MistakeCode = keyof typeof MISTAKES;

/** What the doctor says of one thing. Only `broken` makes the command fail. */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'broken';
  /** Of a mistake. */
  readonly code?: MistakeCode;
  /** What was looked at: `agent coder`. */
  readonly about: string;
  readonly message: string;
  /** What to do about it, in one line. */
  readonly remedy?: string;
}

/** A mistake that a check has found, before it is said how bad it is. */
export interface Mistake {
  readonly about: string;
  readonly message: string;
  readonly remedy: string;
}

export function ok(about: string, message: string): Finding {
  return { status: 'ok', about, message };
}

export function warning(code: MistakeCode, mistake: Mistake): Finding {
  return { status: 'warning', code, ...mistake };
}

export function broken(code: MistakeCode, mistake: Mistake): Finding {
  return { status: 'broken', code, ...mistake };
}

import type { GrantCaps } from '@postern/approvals';
import type { HmacKey, KeyDigest } from '@postern/auth';
import type { ApprovalRecord, DbRepositories, KnownNodes, RunInTransaction } from '@postern/db/ports';
import type { ListenAddress } from '@postern/schemas';
import type { Vault } from '@postern/vault';
import type { EventHub } from './events/event-hub.ts';

/** What writes of configuration need, in the control plane and at start. */
export interface WriteDependencies {
  readonly repositories: DbRepositories;
  readonly runInTransaction: RunInTransaction;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  /** Keys for the digests of agent keys, the active one first. */
  readonly agentKeyHmacKeys: readonly [HmacKey, ...HmacKey[]];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called after each commit with the tenant whose configuration changed ('*': all). Must not throw. */
  readonly onChange: (tenant: string) => void;
  readonly ownAddresses: OwnAddresses;
  /** Is told what was written, after each commit. */
  readonly events?: Pick<EventHub, 'publish'>;
}

/** An own address of an integration that is not listened on, and why. */
export interface ListenFault {
  readonly integration: string;
  readonly message: string;
}

/** The own addresses of integrations, as far as writes of configuration have to do with them. */
export interface OwnAddresses {
  /** Whether other addresses than loopback may be listened on: with TLS, or where the operator has said so. */
  readonly mayLeaveLoopback: boolean;
  /** The gateway's own, which no integration can have. */
  gatewayListeners(): readonly ListenAddress[];
  /** Opens and closes listeners as what is stored says; resolves when that is done. Must not reject. */
  follow(): Promise<void>;
  /** What of a tenant's could not be opened. */
  faults(tenant: string): readonly ListenFault[];
}

/** A line of the log: members first, then the sentence. pino's loggers are such. */
export interface AdminLogger {
  info(members: object, message: string): void;
  warn(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** `failing` may pass by itself, `permanent_failure` lasts until secret or integration change. `at`: milliseconds since the epoch. */
export interface CredentialState {
  readonly status: 'ok' | 'failing' | 'permanent_failure';
  readonly code?: string;
  readonly at: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Each dependency's state in a word, such as `{database: 'up'}`. */
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Who works on the database, and what weakens it. */
export interface NodesReport extends KnownNodes {
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

export interface AdminDependencies extends WriteDependencies {
  /** Keys for the digests of administrators' tokens, the active one first. */
  readonly adminTokenHmacKeys: readonly [HmacKey, ...HmacKey[]];
  /** The token of the bootstrap owner, by its digest. */
  readonly bootstrapToken: KeyDigest;
  /** Who watches is told from here; closed with the server. */
  readonly events: EventHub;
  /** Called after the commit of each decision: calls wait for it. Must not throw. */
  readonly onApprovalDecided?: (tenant: string, approval: ApprovalRecord, event: 'approval.decided') => void;
  /** Called after messages were made due. Must not throw. */
  readonly onOutbox?: () => void;
  /** The widest grants that approvers may give; default `DEFAULT_GRANT_CAPS`. */
  readonly grantCaps?: GrantCaps;
  /** Between two signs of life to those who watch; default 15,000. */
  readonly heartbeatMs?: number;
  readonly logger: AdminLogger;
  readonly readiness: () => Promise<Readiness>;
  /** Default: the gateway is alone on its database. */
  readonly nodes?: (() => Promise<NodesReport>) | undefined;
  /** How the minting of an integration's credential stands; undefined where nothing is known. Default: nothing is. */
  readonly credentialState?: (tenant: string, integration: string) => CredentialState | undefined;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** `POSTERN_ADMIN_PUBLIC_URL`; its host is answered for. */
  readonly publicUrl?: string;
  /** CIDRs of proxies whose `X-Forwarded-For` tells the client's address. */
  readonly trustedProxies?: readonly string[];
  /** CIDRs within which every `unsafeAllowAddresses` must lie: the setting, else what the start-up file names. */
  readonly unsafeAddressCeiling: readonly string[];
  /** Makes `Postern-Request-Id`; default 128 random bits. */
  readonly createRequestId?: () => string;
  /** The version that `/openapi.json` names. */
  readonly version?: string;
}

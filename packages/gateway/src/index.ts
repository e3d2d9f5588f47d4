export {
  type ApprovalEvent,
  createHeldCallMemory,
  type HeldCallMemory,
  type HeldCalls,
} from './approvals/held-calls.ts';
export { type ArrivalHosts, createArrivalHosts, createOwnAddressHosts } from './arrival-hosts.ts';
export { BodyMemory } from './body/body-memory.ts';
export { CallCounts } from './call-counts.ts';
export type { CallTrace, CallTracing } from './call-trace.ts';
export { type CompiledTenant, createTenantCompiler } from './directory/compiled-tenant.ts';
export { Directory, type DirectoryOptions } from './directory/directory.ts';
export { type SecretVersion, secretVersion } from './directory/secret-version.ts';
export { staleIntegrations } from './directory/stale-integrations.ts';
export type { CallLog, CallMetrics, Gateway } from './gateway.ts';
export { createListener, type ListenerOptions, type ListenerTls } from './listener.ts';
export type { MetricSeries, MetricSource } from './metric-source.ts';
export { createMetrics, type GatewayMetrics } from './metrics.ts';
export {
  type AnnounceDeadSecret,
  createDeadSecretAnnouncement,
  type DeadSecretOptions,
} from './notifications/announce-dead-secret.ts';
export { type ApprovalMessageOptions, createApprovalMessages } from './notifications/approval-message.ts';
export type { Delivered } from './notifications/deliver-message.ts';
export { OutboxWorker, type OutboxWorkerOptions } from './notifications/outbox-worker.ts';
export { CallQueue, type CallQueueOptions } from './queue/call-queue.ts';
export { Refusals } from './refusals.ts';
export { createRequestIds } from './request-id.ts';
export { stopListener, trackConnections } from './stop-listener.ts';
export type { CredentialState } from './tokens/credential-state.ts';
export { createNodeTurns, type NodeTurns, type NodeTurnsParts } from './tokens/node-turns.ts';
export {
  createRotatedSecretStore,
  type RotatedSecretStore,
  type StoreRotatedSecret,
} from './tokens/store-rotated-secret.ts';
export { TokenKeeper, type TokenKeeperOptions } from './tokens/token-keeper.ts';
export { readTraceparent, SAMPLED, spanIdOf, type TracePlace, traceIdOf } from './trace-context.ts';
export { createTrustedProxies, type TrustedProxies } from './trusted-proxies.ts';
export { type Readiness, readiness } from './ways-in/health.ts';
export type { WideEvent } from './wide-event.ts';

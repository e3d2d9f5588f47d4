export { type ExchangeCall, type ExchangeSink, startExchange } from './exchange.ts';
export {
  compileHeaderPolicy,
  filterRequestHeaders,
  filterResponseHeaders,
  type HeaderPolicy,
  type HeaderPolicyOptions,
} from './header-policy.ts';
export { createLane, type LaneOptions, type ResponseLimits, type Timeouts, type UpstreamLane } from './lane.ts';
export { type MappedUpstreamError, mapUpstreamError } from './map-upstream-error.ts';
export { type AttemptRecord, type ProxyObserver, withProxyObservability } from './observability.ts';
export { ProxyRefusal, type ProxyRefusalCode } from './proxy-refusal.ts';
export {
  type ProxyAnswer,
  type ProxyContext,
  type ProxyHandler,
  type ProxyRequest,
  proxyRequest,
} from './proxy-request.ts';
export { isRedirect, judgeRedirect, type RedirectScope } from './redirect.ts';
export type { RequestBody } from './request-body.ts';
export type { Query } from './target-path.ts';
export type { BodyStream, Exchange, OutgoingRequest, PinnedTarget, Transport } from './transport.ts';
export { type PoolKeyParts, poolKey, poolPrefix, type TlsIdentity } from './transport.ts';
export { createUndiciTransport, type UndiciTransportOptions } from './undici-transport.ts';
export { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts';
export { LIMIT_DEFAULTS, TIMEOUT_DEFAULTS, type UpstreamConfig, type UpstreamLimits } from './upstream-config.ts';
export { type SentBytes, type TimeBudget, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

export { type Admission, type BreakerSettings, type BreakerState, CircuitBreaker, REFUSED } from './breaker.ts';
export { type AttemptReport, type ExchangeCall, type ExchangeSink, startExchange } from './exchange.ts';
export type { HeaderPolicyOptions } from './header-policy.ts';
export {
  compileHeaderPolicy,
  filterRequestHeaders,
  filterResponseHeaders,
  type HeaderPolicy,
} from './header-policy.ts';
export { createLane, type LaneOptions, type ResponseLimits, type Timeouts, type UpstreamLane } from './lane.ts';
export type { LimitSignal, LimitWaitForm } from './limit-signals.ts';
export { type MappedUpstreamError, mapUpstreamError } from './map-upstream-error.ts';
export { type AttemptRecord, type ProxyObserver, withProxyObservability } from './observability.ts';
export { ProxyRefusal, type ProxyRefusalCode } from './proxy-refusal.ts';
export type { ProxyAnswer, ProxyContext, ProxyHandler, ProxyRequest } from './proxy-request.ts';
export { proxyRequest } from './proxy-request.ts';
export { isRedirect, judgeRedirect, type RedirectScope } from './redirect.ts';
export type { RequestBody } from './request-body.ts';
export { retryAfterMs } from './retry-after.ts';
export type { Query } from './target-path.ts';
export type { BodyStream, Exchange, OutgoingRequest, PinnedTarget, Transport } from './transport.ts';
export { type PoolKeyParts, poolKey, poolPrefix, type TlsIdentity } from './transport.ts';
export { createUndiciTransport, type UndiciTransportOptions } from './undici-transport.ts';
export { createUpstreamClient, type UpstreamClient, type UpstreamClientOptions } from './upstream-client.ts';
export type { UpstreamConfig, UpstreamLimits } from './upstream-config.ts';
export { BREAKER_DEFAULTS, LIMIT_DEFAULTS, RETRY_DEFAULTS, TIMEOUT_DEFAULTS } from './upstream-config.ts';
export { type SentBytes, type TimeBudget, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';
export type { RetrySettings } from './with-retries.ts';

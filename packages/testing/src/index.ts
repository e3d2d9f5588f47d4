export { type AnthropicUpstreamOptions, startAnthropicUpstream } from './anthropic-upstream.ts';
export {
  type AppTerms,
  type AssertionEndpoint,
  type AssertionTerms,
  startAssertionEndpoint,
  startInstallationEndpoint,
} from './assertion-endpoint.ts';
export {
  type CertificateAuthority,
  createCertificateAuthority,
  type ServerCertificate,
} from './certificate-authority.ts';
export {
  type DnsAnswer,
  type DnsQuery,
  type DnsRecords,
  type DnsServer,
  type DnsZone,
  startDnsServer,
} from './dns-server.ts';
export { createFakeClock, type FakeClock, type FakeTimer } from './fake-clock.ts';
export { GIT_ENVIRONMENT, type GitUpstream, type GitUpstreamOptions, startGitUpstream } from './git-upstream.ts';
export { type GithubUpstreamOptions, startGithubUpstream } from './github-upstream.ts';
export { type GoogleUpstreamOptions, startGoogleUpstream } from './google-upstream.ts';
export { type NpmUpstreamOptions, startNpmUpstream } from './npm-upstream.ts';
export { type OpenAiUpstream, type OpenAiUpstreamOptions, startOpenAiUpstream } from './openai-upstream.ts';
export { decodeOtlpMetrics, decodeOtlpSpans, type OtlpMetric, type OtlpSpan } from './otlp-documents.ts';
export { type PostgresServer, type PostgresServerOptions, startPostgresServer } from './postgres-server.ts';
export { openRawConnection, parseRawAnswer, type RawAnswer, type RawConnection, speakRaw } from './raw-connection.ts';
export { type RawUpstream, readRequestHead, startRawUpstream } from './raw-upstream.ts';
export { type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.ts';
export { type S3Upstream, startS3Upstream } from './s3-upstream.ts';
export { type SeededRandom, seededRandom } from './seeded-random.ts';
export { type SlackUpstreamOptions, startSlackUpstream } from './slack-upstream.ts';
export { type StripeUpstreamOptions, startStripeUpstream } from './stripe-upstream.ts';
export {
  answerStubEvents,
  answerStubJson,
  demandHeader,
  jsonOf,
  type StubApi,
  type StubApiOptions,
  type StubFailure,
  type StubHandler,
  type StubHands,
  startStubApi,
} from './stub-api.ts';
export { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
export { type StoredFile, startThingsUpstream } from './things-upstream.ts';
export {
  answerEcho,
  type RecordedRequest,
  startUpstream,
  type Upstream,
  type UpstreamHandler,
  type UpstreamOptions,
} from './upstream.ts';

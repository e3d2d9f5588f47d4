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
export { type OpenAiUpstream, type OpenAiUpstreamOptions, startOpenAiUpstream } from './openai-upstream.ts';
export { type RawUpstream, readRequestHead, startRawUpstream } from './raw-upstream.ts';
export { type SeededRandom, seededRandom } from './seeded-random.ts';
export { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
export {
  answerEcho,
  type RecordedRequest,
  startUpstream,
  type Upstream,
  type UpstreamHandler,
  type UpstreamOptions,
} from './upstream.ts';

export { canonicalJson } from './canonical-json.ts';
export { CanonicalUrlError, type CanonicalUrlErrorCode } from './canonical-url-error.ts';
export { canonicaliseUrl } from './canonicalise-url.ts';
export {
  type CallDescription,
  type CalledAction,
  type CalledIntegration,
  type Descriptor,
  describeCall,
} from './describe-call.ts';
export { DescriptorError, type DescriptorErrorCode } from './descriptor-error.ts';
export { bodyDigest, fingerprint } from './fingerprint.ts';
export { JsonError, type JsonErrorCode, type JsonValue } from './json-error.ts';
export { type ParseJsonOptions, parseJsonStrict } from './parse-json-strict.ts';
export {
  type CanonicalTarget,
  createTargetCanonicaliser,
  type TargetCanonicaliser,
  type TargetText,
} from './target-canonicaliser.ts';

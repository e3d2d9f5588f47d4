export { applyCredential, type CredentialApplication, type CredentialRequest } from './apply-credential.ts';
export { type CompiledCredential, compileCredential, findCredentialIssues } from './compile-credential.ts';
export type {
  BasicCredential,
  BearerCredential,
  Credential,
  CredentialType,
  HeaderCredential,
  NoCredential,
  QueryCredential,
} from './credential.ts';
export type { AppliedCredential } from './credential-kind.ts';
export { CREDENTIAL_TYPES } from './credential-kinds.ts';
export { findHeaderNameIssue } from './header-name.ts';
export { appendQuery, hasQueryParameter } from './query-text.ts';
export { SECRET_LENGTH_MIN } from './secret-text.ts';

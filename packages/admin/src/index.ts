export { createAdminServer } from './admin-server.ts';
export { type ApplyRequest, type ApplyResult, applyDocument } from './config/apply-document.ts';
export type { Change, ChangeKind, Difference } from './config/change.ts';
export { type CurrentState, readCurrentState } from './config/current-state.ts';
export { type ExportedDocument, exportDocument, exportYaml } from './config/export-document.ts';
export { formatIssue, type ParsedConfig, parseConfigDocument } from './config/parse-config-document.ts';
export { type ResolvedSources, resolveSources, type SourceAccess } from './config/resolve-sources.ts';
export type { ResolvedAgent, ResolvedDocument, ResolvedSecret } from './config/resolved-document.ts';
export type {
  AdminDependencies,
  AdminLogger,
  ListenFault,
  OwnAddresses,
  Readiness,
  WriteDependencies,
} from './dependencies.ts';
export type { UnsafeRights } from './unsafe-members.ts';
export { type PlacedIssue, toValidationIssue } from './validation/check-shape.ts';

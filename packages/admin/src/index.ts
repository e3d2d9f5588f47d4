export { createAdminServer } from './admin-server.ts';
export { approvalEvent } from './approvals/approval-event.ts';
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
  NodesReport,
  OwnAddresses,
  Readiness,
  WriteDependencies,
} from './dependencies.ts';
export { createEventHub, type EventHub, type LiveEvent } from './events/event-hub.ts';
export { writePolicyInTenant } from './policy-write.ts';
export { type CheckedTemplate, checkTemplateValue } from './templates/check-template-value.ts';
export type { UnsafeRights } from './unsafe-members.ts';
export { type PlacedIssue, toValidationIssue } from './validation/check-shape.ts';

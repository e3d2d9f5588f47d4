export { createAdminServer } from './admin-server.ts';
export type { AdminDependencies, AdminLogger, NodesReport, Readiness } from './dependencies.ts';
export { type CheckedTemplate, checkTemplateValue } from './templates/check-template-value.ts';
export { type PlacedIssue, toValidationIssue } from './validation/check-shape.ts';

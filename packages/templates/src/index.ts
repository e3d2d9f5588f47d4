export { builtinTemplates } from './builtin-templates.ts';
export { checkSuccession, checkTemplate, type FormerVersion, type TemplateIssue } from './check-template.ts';
export { type EffectiveIntegration, effectiveIntegration, policyForm } from './effective-integration.ts';
export { type FindTemplate, findTemplates } from './find-template.ts';
export { templateDocument } from './template-document.ts';
export { readReference, referenceTo, type TemplateReference } from './template-reference.ts';

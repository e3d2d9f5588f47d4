import { z } from 'zod';
import { applyDocument } from '../config/apply-document.ts';
import { CHANGE_KINDS } from '../config/change.ts';
import { parseConfigDocument } from '../config/parse-config-document.ts';
import { DOCUMENT_CHARACTERS_MAX } from '../config/read-yaml.ts';
import { resolveSources } from '../config/resolve-sources.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid } from '../validator.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const DOCUMENT_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml', 'application/json'];

const issueView = z.object({
  field: z.string(),
  message: z.string(),
  line: z.int().optional(),
  rule: z.string().optional(),
  position: z.int().optional(),
});
const changesView = z.object({
  changes: z.array(
    z.object({
      kind: z.enum(CHANGE_KINDS),
      name: z.string(),
      op: z.enum(['create', 'update', 'delete']),
      diff: z.array(z.object({ path: z.string(), from: z.unknown(), to: z.unknown() })),
    }),
  ),
  warnings: z.array(issueView),
});

const dryRun = z
  .enum(['true', 'false'])
  .default('false')
  .describe('true: answer what would change, after all checks, and change nothing');

export function applyRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  // In a scope of its own: here the body is the text of a document, so that faults can be told with their lines.
  scope.register((documents: AdminScope, _options, done) => {
    documents.removeAllContentTypeParsers();
    documents.addContentTypeParser(
      DOCUMENT_TYPES,
      { parseAs: 'string', bodyLimit: DOCUMENT_CHARACTERS_MAX },
      (_request, text, parsed) => parsed(null, text),
    );
    documents.post(
      '/apply',
      {
        config: { permission: 'write' },
        bodyLimit: DOCUMENT_CHARACTERS_MAX,
        schema: {
          tags: ['configuration'],
          summary: 'Apply a configuration document (YAML or JSON)',
          consumes: DOCUMENT_TYPES,
          querystring: z.strictObject({ dryRun }),
          body: z.string().min(1).describe('The document; its JSON Schema is at /v1/config-schema'),
          response: { 200: changesView },
        },
      },
      async (request) => {
        const { actor } = request;
        const parsed = await parseConfigDocument(request.body);
        if (parsed.document === undefined) throw invalid(parsed.issues);
        const { document, issues } = await resolveSources(parsed.document, { allowFrom: false });
        if (document === undefined) throw invalid(issues.map((issue) => toValidationIssue(issue, parsed.lineOf)));
        const { isInstanceOwner } = actor;
        const result = await applyDocument(dependencies, {
          ...originOf(request),
          document,
          rights: { isInstanceOwner, unsafeAddressCeiling: dependencies.unsafeAddressCeiling },
          dryRun: request.query.dryRun === 'true',
          lineOf: parsed.lineOf,
        });
        return {
          changes: result.changes.map((change) => ({ ...change, diff: [...change.diff] })),
          warnings: [...result.warnings],
        };
      },
    );
    done();
  });
}

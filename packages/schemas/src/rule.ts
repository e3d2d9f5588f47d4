import { z } from 'zod';
import { hostSchema, methodSchema, nameSchema, uniqueList } from './names.ts';

const list = <T extends z.ZodType>(item: T) => uniqueList(item).min(1).optional();

/**
 * A policy statement. The policy compiler checks what a schema cannot: selectors, patterns, references.
 * Within one list any item suffices; all given lists must match.
 */
export const ruleSchema = z.strictObject({
  id: nameSchema,
  effect: z.enum(['allow', 'deny', 'require_approval']),
  hard: z.boolean().optional().describe('With deny: nothing lifts it'),
  agents: list(z.string().min(1).max(128)).describe('Names, role:…, trust>=…, environment:…'),
  integrations: list(z.string().min(1).max(64)),
  actions: list(z.string().min(1).max(64)),
  methods: list(methodSchema),
  hosts: list(hostSchema),
  paths: list(z.string().startsWith('/', 'must begin with "/"').max(1024)).describe(
    'Patterns on the complete canonical path',
  ),
  disabled: z.boolean().optional(),
});

export type Rule = z.infer<typeof ruleSchema>;

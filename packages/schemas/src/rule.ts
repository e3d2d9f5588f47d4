import { z } from 'zod';
import { hostSchema, methodSchema, nameSchema, uniqueList } from './names.ts';

const list = <T extends z.ZodType>(item: T) => uniqueList(item).min(1).optional();

/** What a rate limit can keep a counter for. */
export const RATE_LIMIT_DIMENSIONS = ['tenant', 'agent', 'integration', 'action', 'method', 'host'] as const;

const rateLimitSchema = z.strictObject({
  requests: z.int().min(1).max(1_000_000).describe('How many calls pass in any window'),
  perSeconds: z.int().min(1).max(2_678_400).describe('The length of the window, which slides'),
  per: list(z.enum(RATE_LIMIT_DIMENSIONS)).describe(
    'Each combination of these has a counter of its own; default: [agent]',
  ),
});

const approvalTermsSchema = z.strictObject({
  approvers: z.int().min(1).max(20).default(1).describe('How many people must approve'),
  groups: uniqueList(z.string().min(1).max(64)).max(20).default([]).describe('Each must have that many approve'),
  pendingSeconds: z.int().min(1).max(2_592_000).default(900).describe('How long the call waits for them'),
  grant: z.enum(['once', 'times', 'until', 'rule']).default('once').describe('The widest grant they may give'),
  executeSeconds: z.int().min(1).max(2_592_000).default(600).describe('How long an approved call can be sent'),
});

/**
 * A policy statement. The policy compiler checks what a schema cannot: selectors, patterns, references, conditions, and which field
 * goes with which effect. Within one list any item suffices; all given lists and the condition must match.
 */
export const ruleSchema = z.strictObject({
  id: nameSchema,
  effect: z.enum(['allow', 'deny', 'require_approval', 'rate_limit']),
  hard: z.boolean().optional().describe('With deny: nothing lifts it'),
  agents: list(z.string().min(1).max(128)).describe('Names, role:…, trust>=…, environment:…'),
  integrations: list(z.string().min(1).max(64)),
  actions: list(z.string().min(1).max(64)),
  methods: list(methodSchema),
  hosts: list(hostSchema),
  paths: list(z.string().startsWith('/', 'must begin with "/"').max(1024)).describe(
    'Patterns on the complete canonical path',
  ),
  when: z.string().min(1).max(16_384).optional().describe('A CEL expression that must be true of the call'),
  limit: rateLimitSchema.optional().describe('With rate_limit: how often such calls pass'),
  approval: approvalTermsSchema.optional().describe('With require_approval: on what terms people approve'),
  shadow: z.boolean().optional().describe('It is recorded what the rule would have done, and nothing is done'),
  disabled: z.boolean().optional(),
});

export type Rule = z.infer<typeof ruleSchema>;

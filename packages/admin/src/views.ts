import { hash } from 'node:crypto';
import type {
  AdminRecord,
  AgentKeyRecord,
  AgentRecord,
  IntegrationRecord,
  PolicyRuleRecord,
  SecretEnvelopeVersion,
  SecretRecord,
  TemplateVersionRecord,
  TenantRecord,
} from '@postern/db/ports';
import { ADMIN_ROLES } from '@postern/db/ports';
import {
  agentSchema,
  environmentSchema,
  integrationSchema,
  KEY_SCOPES,
  ruleSchema,
  type Template,
  templateSchema,
} from '@postern/schemas';
import { referenceTo, templateDocument } from '@postern/templates';
import { z } from 'zod';
import type { CredentialState } from './dependencies.ts';

const time = z.string().describe('ISO 8601, UTC');
const origin = z.enum(['config', 'api']).describe('What made it: a configuration document, or this API');
const stamps = { createdAt: time, updatedAt: time };

/** Members that answers have and requests need not send back. */
export const READ_ONLY_MEMBERS = ['id', 'origin', 'createdAt', 'updatedAt', 'lastUsedAt', 'credentialState'] as const;

export const tenantView = z.object({
  name: z.string(),
  disabled: z.boolean().describe('Nobody of the tenant is served; nothing of it is removed'),
  createdAt: time,
  disabledAt: time.optional(),
});
export const adminView = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ADMIN_ROLES),
  tenant: z.string().optional().describe('Absent: the whole instance'),
  groups: z.array(z.string()),
  expiresAt: time.optional(),
  revokedAt: time.optional(),
  createdAt: time,
});
export const agentView = agentSchema.extend({ id: z.string(), origin, ...stamps, lastUsedAt: time.optional() });
export const agentKeyView = z.object({
  id: z.string(),
  scopes: z.array(z.enum(KEY_SCOPES)),
  origin,
  expiresAt: time.optional(),
  revokedAt: time.optional(),
  createdAt: time,
  lastUsedAt: time.optional(),
});
const credentialState = z
  .object({ status: z.enum(['ok', 'failing', 'permanent_failure']), code: z.string().optional(), at: time })
  .describe('How asking for tokens stands. Absent: no token was asked for since the start, or since a change');
export const integrationView = integrationSchema.extend({
  id: z.string(),
  origin,
  ...stamps,
  credentialState: credentialState.optional(),
});
export const templateView = templateSchema.extend({
  id: z.string().describe('name@version, as integrations name it'),
  builtin: z.boolean().describe('Whether it came with the program, for every tenant'),
  contentHash: z.string().describe('SHA-256 of the RFC 8785 form of what was published'),
  origin: origin.optional().describe('Absent: built in'),
  createdAt: time.optional().describe('When it was published. Absent: built in'),
});
export const secretView = z.object({
  id: z.string(),
  name: z.string(),
  environments: z.array(environmentSchema).optional().describe('Absent: all'),
  activeVersion: z.int(),
  origin,
  ...stamps,
});
export const secretVersionView = z.object({ version: z.int(), active: z.boolean(), createdAt: time });
export const ruleView = ruleSchema.extend({ disabled: z.boolean(), origin, ...stamps, disabledAt: time.optional() });

export function viewTenant({ name, createdAt, disabledAt }: TenantRecord): z.output<typeof tenantView> {
  const disabled = disabledAt !== undefined;
  return { name, disabled, createdAt: isoTime(createdAt), ...(disabled ? { disabledAt: isoTime(disabledAt) } : {}) };
}

export function viewAdmin(admin: AdminRecord): z.output<typeof adminView> {
  const { id, name, role, tenant, groups, expiresAt, revokedAt, createdAt } = admin;
  return {
    id,
    name,
    role,
    groups: [...groups],
    createdAt: isoTime(createdAt),
    ...(tenant === undefined ? {} : { tenant }),
    ...times({ expiresAt, revokedAt }),
  };
}

export function viewAgent(agent: AgentRecord): z.output<typeof agentView> {
  const { tenant: _tenant, version: _version, createdAt, updatedAt, lastUsedAt, ...members } = agent;
  return { ...members, createdAt: isoTime(createdAt), updatedAt: isoTime(updatedAt), ...times({ lastUsedAt }) };
}

export function viewAgentKey(key: AgentKeyRecord): z.output<typeof agentKeyView> {
  const { id, scopes, createdAt, expiresAt, revokedAt, lastUsedAt } = key;
  const optional = times({ expiresAt, revokedAt, lastUsedAt });
  return { id, scopes: [...scopes], origin: key.origin, createdAt: isoTime(createdAt), ...optional };
}

export function viewIntegration(
  record: IntegrationRecord,
  state?: CredentialState | undefined,
): z.output<typeof integrationView> {
  const { id, spec, createdAt, updatedAt } = record;
  const members = { ...spec, id, origin: record.origin, createdAt: isoTime(createdAt), updatedAt: isoTime(updatedAt) };
  return state === undefined ? members : { ...members, credentialState: { ...state, at: isoTime(state.at) } };
}

export function viewTemplate({
  spec,
  contentHash,
  origin,
  createdAt,
}: TemplateVersionRecord): z.output<typeof templateView> {
  return { ...spec, id: referenceTo(spec), builtin: false, contentHash, origin, createdAt: isoTime(createdAt) };
}

export function viewBuiltinTemplate(spec: Template): z.output<typeof templateView> {
  const contentHash = hash('sha256', templateDocument(spec), 'hex');
  return { ...spec, id: referenceTo(spec), builtin: true, contentHash };
}

export function viewSecret(secret: SecretRecord): z.output<typeof secretView> {
  const { id, name, environments, activeVersion, createdAt, updatedAt } = secret;
  return {
    id,
    name,
    activeVersion,
    origin: secret.origin,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
    ...(environments === undefined ? {} : { environments: [...environments] }),
  };
}

export function viewSecretVersion(
  { version, createdAt }: Omit<SecretEnvelopeVersion, 'envelope'>,
  activeVersion: number,
): z.output<typeof secretVersionView> {
  return { version, active: version === activeVersion, createdAt: isoTime(createdAt) };
}

export function viewRule(record: PolicyRuleRecord): z.output<typeof ruleView> {
  const { spec, createdAt, updatedAt, disabledAt } = record;
  return {
    ...spec,
    disabled: disabledAt !== undefined,
    origin: record.origin,
    createdAt: isoTime(createdAt),
    updatedAt: isoTime(updatedAt),
    ...times({ disabledAt }),
  };
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** The given times that are there, in the API's form. */
function times<K extends string>(values: Readonly<Record<K, number | undefined>>): Partial<Record<K, string>> {
  const present = Object.entries<number | undefined>(values).flatMap(([name, value]) => {
    return value === undefined ? [] : [[name, isoTime(value)] as const];
  });
  return Object.fromEntries(present) as Partial<Record<K, string>>;
}

import type { AccessRequestStatus, AdminIdentityStatus, SignupMode } from './ports/admin-auth.ts';
import type { AdminRole } from './ports/admins.ts';
import type { JsonColumn } from './tables.ts';

/** The rows of people, and of agents that are known by certificates. */
export interface IdentityTables {
  users: UserRow;
  admin_signup_policy: AdminSignupPolicyRow;
  admin_identities: AdminIdentityRow;
  admin_role_bindings: AdminRoleBindingRow;
  admin_access_requests: AdminAccessRequestRow;
  agent_san_uris: { san_uri: string; tenant: string; agent_id: string };
  agent_certificates: AgentCertificateRow;
  enrollment_tokens: EnrollmentTokenRow;
  sessions: SessionRow;
}

export interface UserRow {
  tenant: string;
  id: string;
  email: string;
  name: string | null;
  identity_id: string | null;
  roles: JsonColumn;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface AdminSignupPolicyRow {
  /** Always 1. */
  id: number;
  mode: SignupMode;
  allowed_domains: JsonColumn;
  version: number;
  updated_by: string;
  updated_at: number;
}

export interface AdminIdentityRow {
  id: string;
  issuer: string;
  subject: string;
  email: string;
  is_email_verified: number;
  name: string | null;
  status: AdminIdentityStatus;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface AdminRoleBindingRow {
  identity_id: string;
  tenant: string;
  role: AdminRole;
  groups: JsonColumn;
}

export interface AdminAccessRequestRow {
  tenant: string;
  id: string;
  identity_id: string;
  role: AdminRole;
  reason: string | null;
  status: AccessRequestStatus;
  created_at: number;
  decided_by: string | null;
  decided_at: number | null;
  decision_reason: string | null;
}

export interface AgentCertificateRow {
  tenant: string;
  serial: string;
  agent_id: string;
  fingerprint: string;
  san_uri: string;
  not_before: number;
  not_after: number;
  created_at: number;
  revoked_at: number | null;
  revoked_by: string | null;
  revocation_reason: string | null;
}

export interface EnrollmentTokenRow {
  tenant: string;
  id: string;
  agent_id: string;
  token_hash: string;
  issued_by: string;
  issued_at: number;
  expires_at: number;
  consumed_at: number | null;
  voided_at: number | null;
}

export interface SessionRow {
  tenant: string;
  id: string;
  agent_id: string;
  token_hash: string;
  certificate_fingerprint: string;
  dpop_thumbprint: string | null;
  scopes: JsonColumn;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
}

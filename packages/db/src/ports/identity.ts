export {
  ACCESS_REQUEST_STATUSES,
  type AccessRequestChange,
  type AccessRequestStatus,
  type AccessRequestTransition,
  ADMIN_IDENTITY_STATUSES,
  type AdminAccessRequestRecord,
  type AdminAuthPort,
  type AdminIdentityRecord,
  type AdminIdentityStatus,
  type AdminRoleBinding,
  type AdminSignupPolicy,
  DEFAULT_SIGNUP_POLICY,
  type NewAdminAccessRequest,
  type NewAdminIdentity,
  SIGNUP_MODES,
  type SignupMode,
} from './admin-auth.ts';
export { ADMIN_ROLES, type AdminRecord, type AdminRole, type AdminsPort } from './admins.ts';
export {
  type AgentCertificateRecord,
  type AgentCertificatesPort,
  CERTIFICATE_LIFE_MS_MAX,
  type NewAgentCertificate,
} from './agent-certificates.ts';
export {
  ENROLLMENT_TOKEN_LIFE_MS,
  type EnrollmentTokenConsumption,
  type EnrollmentTokenRecord,
  type EnrollmentTokensPort,
  type NewEnrollmentToken,
} from './enrollment-tokens.ts';
export { type NewSession, SESSION_LIFE_MS, type SessionRecord, type SessionsPort } from './sessions.ts';
export type { NewUser, UserRecord, UsersPort } from './users.ts';

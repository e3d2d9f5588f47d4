export { describeGrant } from './grants/describe-grant.ts';
export {
  DEFAULT_GRANT_CAPS,
  type GivenGrant,
  type GrantCaps,
  type GrantContext,
  type GrantRequest,
  grantKindsAllowed,
  narrowestGrant,
  readGrantRequest,
} from './grants/grant-request.ts';
export { GrantRequestError, type GrantRequestFault } from './grants/grant-request-error.ts';
export { type GrantFault, type JudgedGrant, judgeGrant } from './grants/judge-grant.ts';
export { fitsScope, grantSearch, standingScope } from './grants/standing-scope.ts';
export {
  checkIdempotencyKey,
  IDEMPOTENCY_KEY_LENGTH_MAX,
  IdempotencyKeyError,
  type IdempotencyKeyFault,
  readIdempotencyKey,
} from './idempotency/read-idempotency-key.ts';
export { type Preferences, readPrefer, WAIT_SECONDS_MAX } from './idempotency/read-prefer.ts';
export { upstreamKey } from './idempotency/upstream-key.ts';
export {
  type DeliverOptions,
  type Delivery,
  deliverWebhook,
  type SendWebhook,
  WEBHOOK_TIMEOUT_MS,
  type WebhookRequest,
} from './notifications/deliver-webhook.ts';
export {
  type DeliveryAnswer,
  type DeliveryTry,
  type DeliveryVerdict,
  judgeDelivery,
  outboxOutcome,
} from './notifications/judge-delivery.ts';
export {
  nextAttempt,
  WEBHOOK_ATTEMPTS_MAX,
  WEBHOOK_RETRY_AFTER_SECONDS_MAX,
  WEBHOOK_RETRY_SECONDS,
} from './notifications/next-attempt.ts';
export {
  encodeNotification,
  NOTIFICATION_EVENTS,
  type Notification,
  type NotificationEvent,
} from './notifications/notification.ts';
export {
  type CallOwner,
  judgeVoter,
  judgeVotes,
  type QuorumTerms,
  type QuorumVerdict,
  type Vote,
  type VoterFault,
} from './quorum/judge-votes.ts';
export type { MissingSeats } from './quorum/seat-people.ts';
export { type BodyToRender, type RenderedBody, type RenderLimits, renderBody } from './rendering/render-body.ts';
export { type RenderedRequest, type RequestToRender, renderRequest } from './rendering/render-request.ts';
export { type CallToSummarise, summariseCall } from './rendering/summarise-call.ts';
export { visibleLines, visibleText } from './rendering/visible-text.ts';
export {
  openBytes,
  openStream,
  SealError,
  type Sealing,
  sealBytes,
  sealedReference,
  sealStream,
} from './sealed/seal.ts';
export {
  decodeSealedRequest,
  encodeSealedRequest,
  encodeSealedRequestHead,
  type ReadSealedRequest,
  readSealedRequest,
  type SealedRequest,
  type SealedRequestHead,
} from './sealed/sealed-request.ts';
export {
  decodeStoredAnswer,
  encodeStoredAnswer,
  STORED_ANSWER_BODY_BYTES_MAX,
  type StoredAnswerForm,
} from './sealed/stored-answer.ts';
export { StoredFormError, type StoredFormFault } from './sealed/stored-form.ts';
export { type ApprovedBinding, type StoredRequest, verifyStoredRequest } from './sealed/verify-stored-request.ts';
export {
  APPROVAL_FINAL_STATES,
  APPROVAL_TRANSITIONS,
  type ExpiringApproval,
  mayTransition,
  statusAt,
} from './states/approval-states.ts';
export {
  CLAIM_FINAL_STATES,
  CLAIM_RESOLUTIONS,
  CLAIM_TRANSITIONS,
  mayClaimTransition,
} from './states/claim-states.ts';
export { DENIAL_MEMORY_SECONDS, type DenialRule, denialHolds, deniedUntil } from './states/denial-memory.ts';
export { signWebhook, type WebhookHeaders, type WebhookMessage } from './webhook/sign-webhook.ts';
export {
  verifyWebhook,
  WEBHOOK_TOLERANCE_SECONDS,
  type WebhookHeaderSource,
  type WebhookToVerify,
} from './webhook/verify-webhook.ts';
export { readWebhookSecret, type WebhookSecret, WebhookSecretError } from './webhook/webhook-secret.ts';

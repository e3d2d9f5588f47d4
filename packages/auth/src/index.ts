export { ADMIN_TOKEN_PREFIX, generateAdminToken, isAdminToken } from './admin-token.ts';
export {
  AGENT_KEY_LENGTH,
  AGENT_KEY_PREFIX,
  type AgentKey,
  generateAgentKey,
  isAgentKey,
  parseAgentKey,
  publicIdOf,
} from './agent-key.ts';
export {
  AGENT_KEY_HEADERS,
  type AgentKeyExtraction,
  type AgentKeySource,
  extractAgentKey,
} from './extract-agent-key.ts';
export { findAgentKeyInHeaders, findAgentKeyText } from './find-agent-key.ts';
export { type HmacKey, type KeyDigest, keyDigest, verifyKeyDigest } from './key-digest.ts';
export type { RandomBytes } from './random-bytes.ts';
export { createVerifiedKeyCache, type VerifiedKeyCache, type VerifiedKeyCacheOptions } from './verified-key-cache.ts';

/** UUIDv7 (RFC 9562 section 5.7): the first 48 bits are milliseconds. */
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The integer under which the log finds a request id: the milliseconds of a UUIDv7, of any other text a hash of 32 bits (FNV-1a).
 * Requests share keys, so whoever looks one up compares the ids too. An index on it is a third of one on the ids.
 */
export function requestKey(requestId: string): number {
  if (UUID_V7.test(requestId)) return Number.parseInt(requestId.slice(0, 8) + requestId.slice(9, 13), 16);
  let hash = FNV_OFFSET;
  for (let index = 0; index < requestId.length; index++) {
    hash = Math.imul(hash ^ requestId.charCodeAt(index), FNV_PRIME);
  }
  return hash >>> 0;
}

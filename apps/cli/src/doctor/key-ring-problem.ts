const KEY_BYTES = 32;

/** Why the gateway would not take this text as its master keys (`id:base64,…`); undefined when it would. Never repeats the text. */
export function keyRingProblem(text: string): string | undefined {
  for (const [index, entry] of text.trim().split(',').entries()) {
    const [, encoded] = /^\s*[A-Za-z0-9][A-Za-z0-9._-]{0,31}:([A-Za-z0-9+/]*={0,2})\s*$/.exec(entry) ?? [];
    if (encoded === undefined) return `key ${index + 1} is not of the form id:base64`;
    const bytes = Buffer.from(encoded, 'base64').byteLength;
    if (bytes !== KEY_BYTES) return `key ${index + 1} has ${bytes} bytes, and ${KEY_BYTES} are needed`;
  }
  return undefined;
}

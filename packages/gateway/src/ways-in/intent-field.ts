import { Rejection } from '@postern/schemas';

/** Specification section 6: the agent's stated purpose, at most 500 characters. */
export const INTENT_CHARACTERS_MAX = 500;

/** The value of `Postern-Intent`, which node:http gives one character a byte and which is UTF-8. */
export function readIntent(rawHeaders: readonly string[]): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== 14 || name.toLowerCase() !== 'postern-intent') continue;
    const intent = Buffer.from(rawHeaders[i + 1] as string, 'latin1').toString('utf8');
    if (intent.length > INTENT_CHARACTERS_MAX) {
      throw new Rejection('malformed_request', `Postern-Intent may have at most ${INTENT_CHARACTERS_MAX} characters.`);
    }
    return intent;
  }
  return undefined;
}

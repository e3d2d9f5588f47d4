/** What stands in the place of a value that may be a secret. */
export const MASK = '[masked]';

/** Names of members and parameters whose values are secrets. */
const SECRET_NAME =
  /pass(?:word|wd|phrase|code)|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|authorization|cookie|session|signature|^(?:pwd|auth|pin|otp|cvc|cvv|jwt|sig|key)$/i;

/**
 * Texts that are keys by their look: PEM keys, tokens of known providers, tokens of three parts, user and password in a URL, and any
 * unbroken run of 32 characters and more that holds both letters and digits, as all of the rest do. Repetitions have one way to match.
 */
const SECRET_TEXTS: readonly RegExp[] = [
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*/g,
  /\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[sr]k_(?:live|test)_|whsec_|sk-|AKIA|ASIA|AIza|SG\.|pst_)[A-Za-z0-9_.\-+/=]{8,}/g,
  /\b(?:bearer|basic)[ \t]+[A-Za-z0-9_.\-+/=~]{8,}/gi,
  /(?<=:\/\/)[^/\s@]+@/g,
  /[A-Za-z0-9_\-+=.]{32,}/g,
];

export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** `text` with `[masked]` in place of everything that looks like a secret. Too much rather than too little: it leaves the house. */
export function maskSecrets(text: string): string {
  let masked = text;
  for (const pattern of SECRET_TEXTS) {
    masked = masked.replace(pattern, (found) => (pattern === LONG_RUN && !isMixed(found) ? found : MASK));
  }
  return masked;
}

const LONG_RUN = SECRET_TEXTS.at(-1);

function isMixed(run: string): boolean {
  return /[A-Za-z]/.test(run) && /[0-9]/.test(run);
}

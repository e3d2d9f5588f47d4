import type { ApiUnreachable } from '@postern/client';

/** Why there was no answer, as a code or in words, and what may help. */
export function describeUnreachable(error: ApiUnreachable): {
  readonly message: string;
  readonly lines: readonly string[];
} {
  const reason = reasonOf(error.cause);
  if (reason === undefined) return { message: error.message, lines: ['"postern doctor" tells more.'] };
  return { message: `${error.message.replace(/\.$/, '')} (${reason}).`, lines: remedyOf(reason) };
}

/** fetch wraps the system's error in one that says nothing. */
function reasonOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if (cause.name === 'TimeoutError') return 'it takes too long';
  const { cause: inner } = cause;
  const error = inner instanceof Error ? inner : cause;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

/** TLS faults have a remedy that their codes do not tell. */
function remedyOf(reason: string): readonly string[] {
  if (reason === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return ['Its certificate is for another name: set POSTERN_ADMIN_URL to that.'];
  if (/CERT|VERIFY_LEAF/.test(reason)) return ['Name the authority of its certificate with NODE_EXTRA_CA_CERTS.'];
  return [];
}

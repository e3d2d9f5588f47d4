import { makeUnprintable } from '../unprintable.ts';
import type { TokenRequest } from './token-source.ts';

/** A client that authenticates itself (RFC 6749 section 2.3.1); without a secret it only names itself. */
export interface TokenClient {
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly auth: 'basic' | 'body';
}

/** A request in the form that token endpoints take. Members that are undefined are left out. */
export function formRequest(
  url: string,
  parameters: Readonly<Record<string, string | undefined>>,
  client?: TokenClient,
): TokenRequest {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) form.append(name, value);
  const headers = ['accept', 'application/json', 'content-type', 'application/x-www-form-urlencoded'];
  if (client !== undefined) authenticate(client, form, headers);
  return makeUnprintable({ method: 'POST' as const, url, headers, body: Buffer.from(form.toString(), 'utf8') });
}

function authenticate({ clientId, clientSecret, auth }: TokenClient, form: URLSearchParams, headers: string[]): void {
  if (clientSecret !== undefined && auth === 'basic') {
    const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
    headers.push('authorization', `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`);
    return;
  }
  form.append('client_id', clientId);
  if (clientSecret !== undefined) form.append('client_secret', clientSecret);
}

/** RFC 6749 section 2.3.1 and appendix B: both halves are form-encoded before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

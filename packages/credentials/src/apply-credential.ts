import { createHash } from 'node:crypto';
import { Rejection } from '@postern/schemas';
import type { Secret } from '@postern/vault';
import { type CompiledCredential, compileCredential, type SigningCredential } from './compile-credential.ts';
import type { Credential } from './credential.ts';
import type { AppliedCredential } from './credential-kind.ts';
import { appendQuery } from './query-text.ts';
import { makeUnprintable } from './unprintable.ts';

/** What of a call a credential may look at. `url` is canonical: absolute, or a path with its query. */
export interface CredentialRequest {
  readonly method: string;
  readonly url: string;
  /** As they will be sent. Signing kinds take `host` from here, else from `url`. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** Signing kinds sign it; absent: none. */
  readonly body?: string | Uint8Array | undefined;
}

export interface CredentialApplication extends AppliedCredential {
  /** The URL to send: that of the request, with the credential's parameter last where it writes one. Then it holds the secret. */
  readonly url: string;
}

export interface ApplyOptions {
  /** Milliseconds since the epoch, for kinds that sign the time; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/**
 * What one call gets from a credential: the headers to add (each replaces all of its name) and the URL to send. Changes nothing in `request`.
 * For many calls, `compileCredential` once and keep what it opens. Kinds that mint tokens ask an endpoint and `mtls` belongs into the
 * connection: both are refused here.
 *
 * @throws Rejection `validation_failed` for a faulty definition, `target_invalid` when the URL already has the credential's parameter or the
 * call cannot be signed, `credential_unavailable` when the secret is under 8 characters, cannot be carried, or is not for a single request.
 * No message holds the secret.
 */
export function applyCredential(
  request: CredentialRequest,
  credential: Credential,
  secret: string | Secret,
  options: ApplyOptions = {},
): CredentialApplication {
  const compiled = compileCredential(credential);
  compiled.checkTarget(request.url, flatten(request.headers));
  const applied = applyCompiled(compiled, request, revealText(compiled, secret), options);
  const url = applied.query === undefined ? request.url : appendQuery(request.url, applied.query);
  return makeUnprintable({ ...applied, url });
}

function applyCompiled(
  compiled: CompiledCredential,
  request: CredentialRequest,
  secretText: string,
  options: ApplyOptions,
): AppliedCredential {
  switch (compiled.shape) {
    case 'static':
      return compiled.apply(secretText);
    case 'signing':
      return sign(compiled, request, secretText, options);
    case 'minting':
      throw notHere(
        `A credential of type ${compiled.type} needs a token from its endpoint; compileCredential tells how to ask.`,
      );
    case 'tls':
      throw notHere('A client certificate belongs to the connection; compileCredential opens it.');
  }
}

function sign(
  compiled: SigningCredential,
  request: CredentialRequest,
  secretText: string,
  { now = Date.now }: ApplyOptions,
): AppliedCredential {
  const { host, pathAndQuery } = splitUrl(request.url);
  const headers = flatten(request.headers);
  const written = new Set(compiled.writesHeaders);
  const sent = headers.some((item, i) => i % 2 === 0 && item.toLowerCase() === 'host') ? [] : ['host', host];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!written.has(name.toLowerCase())) sent.push(name, headers[i + 1] as string);
  }
  return compiled.openSigner(secretText).sign({
    method: request.method,
    pathAndQuery,
    headers: sent,
    callerHeaders: headers,
    bodySha256: () =>
      createHash('sha256')
        .update(request.body ?? '')
        .digest('hex'),
    now: now(),
  });
}

function splitUrl(url: string): { readonly host: string; readonly pathAndQuery: string } {
  const parsed = url.startsWith('/') ? undefined : URL.parse(url);
  if (parsed === undefined) return { host: '', pathAndQuery: url };
  if (parsed === null) throw new Rejection('target_invalid', 'The target is neither an absolute URL nor a path.');
  // From the text itself: what is signed is what is sent.
  const rest = url.slice(url.indexOf('//') + 2).replace(/^[^/?#]*/, '');
  return { host: parsed.host, pathAndQuery: rest.startsWith('/') ? rest : `/${rest}` };
}

function flatten(headers: CredentialRequest['headers'] = {}): string[] {
  return Object.entries(headers).flatMap(([name, values]) => {
    return (typeof values === 'string' ? [values] : values).flatMap((value) => [name, value]);
  });
}

function notHere(detail: string): Rejection {
  return new Rejection('credential_unavailable', detail);
}

function revealText(compiled: CompiledCredential, secret: string | Secret): string {
  if (compiled.type === 'none') return '';
  return typeof secret === 'string' ? secret : secret.reveal();
}

import { createHmac } from 'node:crypto';
import type { CredentialOf } from '../credential.ts';
import type { SigningKind } from '../credential-kind.ts';
import { findHeaderNameIssue } from '../header-name.ts';
import { checkSecret } from '../secret-text.ts';
import { unsignable } from '../unsignable.ts';

/**
 * `t={unix seconds},v1={hex}`: the HMAC of the four lines `{t}`, `{METHOD}`, `{path?query}` as sent and `{hex SHA-256 of the body}`, the
 * form of Stripe's webhook signatures with the request itself in it.
 */
export const hmac: SigningKind<CredentialOf<'hmac'>> = {
  shape: 'signing',
  findIssues: ({ header }) => {
    const message = findHeaderNameIssue(header);
    return message === undefined ? [] : [{ field: 'header', message }];
  },
  writesHeaders: ({ header }) => [header.toLowerCase()],
  openSigner: ({ header, algorithm }, secretText) => {
    checkSecret(secretText);
    const name = header.toLowerCase();
    return {
      sign: ({ method, pathAndQuery, bodySha256, now }) => {
        const digest = bodySha256();
        if (digest === undefined) throw unsignable('the signature is over the body, and this body passes unread');
        const seconds = Math.floor(now / 1_000);
        const signed = `${seconds}\n${method}\n${pathAndQuery}\n${digest}`;
        const signature = createHmac(algorithm, secretText).update(signed, 'utf8').digest('hex');
        const value = `t=${seconds},v1=${signature}`;
        return { headers: [[name, value]], echoes: [value, signature, secretText] };
      },
    };
  },
};

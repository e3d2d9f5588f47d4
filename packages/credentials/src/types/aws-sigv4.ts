import { readAwsKeys } from '../aws/aws-keys.ts';
import { awsSignature, toAmzDate } from '../aws/aws-signature.ts';
import { checkPayloadForm, findPayloadWord, isS3Like, payloadHash } from '../aws/payload-hash.ts';
import type { CredentialOf } from '../credential.ts';
import type { SigningKind } from '../credential-kind.ts';

const WORD = /^[a-z0-9-]{1,64}$/;

/**
 * Signature Version 4, made anew whatever the client signed with. Signed are `host`, what says how the body is read and all `x-amz-…`:
 * what AWS demands, and nothing that a hop between may change.
 */
export const awsSigv4: SigningKind<CredentialOf<'aws_sigv4'>> = {
  shape: 'signing',
  findIssues: ({ service, region }) => [
    ...(WORD.test(service) ? [] : [{ field: 'service', message: 'must be an AWS service name such as s3' }]),
    ...(WORD.test(region) ? [] : [{ field: 'region', message: 'must be an AWS region such as eu-central-1' }]),
  ],
  writesHeaders: () => ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
  refusesQuery: () => ['X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Security-Token', 'X-Amz-Algorithm'],
  checkHeaders: (_credential, rawHeaders) => checkPayloadForm(rawHeaders),
  openSigner: ({ service, region }, secretText) => {
    const keys = readAwsKeys(secretText);
    const { secretAccessKey, sessionToken } = keys;
    return {
      sign: ({ method, pathAndQuery, headers, callerHeaders, bodySha256, now }) => {
        checkPayloadForm(callerHeaders);
        const hash = payloadHash(service, callerHeaders, bodySha256);
        const amzDate = toAmzDate(now);
        const added: [string, string][] = [['x-amz-date', amzDate]];
        if (sessionToken !== undefined) added.push(['x-amz-security-token', sessionToken]);
        if (isS3Like(service) || findPayloadWord(callerHeaders) !== undefined)
          added.push(['x-amz-content-sha256', hash]);
        const signed = [...headersToSign(headers), ...added.flat()];
        const parts = { method, pathAndQuery, headers: signed, payloadHash: hash, isS3: isS3Like(service) };
        const { authorization, signature } = awsSignature(parts, keys, { region, service }, amzDate);
        const echoes = [
          authorization,
          ...(sessionToken === undefined ? [] : [sessionToken]),
          signature,
          secretAccessKey,
        ];
        return { headers: [...added, ['authorization', authorization]], echoes };
      },
    };
  },
};

function headersToSign(headers: readonly string[]): string[] {
  const signed: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (isSigned(name)) signed.push(name, headers[i + 1] as string);
  }
  return signed;
}

const WRITTEN: ReadonlySet<string> = new Set(['x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256']);

function isSigned(name: string): boolean {
  if (name === 'host' || name === 'content-type' || name === 'content-md5') return true;
  return name.startsWith('x-amz-') && !WRITTEN.has(name);
}

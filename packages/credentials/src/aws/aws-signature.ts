import { createHash, createHmac } from 'node:crypto';
import { type CanonicalAwsParts, canonicalAwsRequest } from './canonical-aws-request.ts';

export interface AwsKeys {
  /** An identifier, not a secret. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined;
}

export interface AwsScope {
  readonly region: string;
  readonly service: string;
}

export interface AwsSignature {
  /** The value of `Authorization`. */
  readonly authorization: string;
  /** 64 hexadecimal digits. */
  readonly signature: string;
  readonly canonicalRequest: string;
  readonly stringToSign: string;
}

/** Steps 2 to 4 of Signature Version 4. `parts.headers` must hold `x-amz-date` with `amzDate`, and `host`. */
export function awsSignature(
  parts: CanonicalAwsParts,
  keys: AwsKeys,
  { region, service }: AwsScope,
  amzDate: string,
): AwsSignature {
  const { text, signedHeaders } = canonicalAwsRequest(parts);
  const day = amzDate.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const stringToSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256Hex(text)}`;
  const key = [day, region, service, 'aws4_request'].reduce<Buffer>(
    (parent, part) => createHmac('sha256', parent).update(part, 'utf8').digest(),
    Buffer.from(`AWS4${keys.secretAccessKey}`, 'utf8'),
  );
  const signature = createHmac('sha256', key).update(stringToSign, 'utf8').digest('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return { authorization, signature, canonicalRequest: text, stringToSign };
}

/** `20150830T123600Z` */
export function toAmzDate(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

export function sha256Hex(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

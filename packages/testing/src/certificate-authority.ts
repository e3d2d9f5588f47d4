import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';

/** PEM key and certificate, as `node:tls` takes them. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateAuthority {
  /** PEM of the authority's own certificate: the `ca` of a client that trusts it. */
  readonly cert: string;
  /** PEM of its private key: with `cert`, a server shows a certificate signed by itself. */
  readonly key: string;
  /** A certificate for these host names and addresses, for servers and clients alike; valid from 2020 to 2120 unless told. */
  issue(names: readonly string[], validity?: Validity): ServerCertificate;
}

export interface Validity {
  readonly from?: Date;
  readonly until?: Date;
}

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2', // RFC 5758, section 3.2
  commonName: '2.5.4.3', // RFC 4519, section 2.3
  subjectAltName: '2.5.29.17', // RFC 5280, section 4.2.1.6
  basicConstraints: '2.5.29.19', // RFC 5280, section 4.2.1.9
} as const;

const NOT_BEFORE = '20200101000000Z';
const NOT_AFTER = '21200101000000Z';

/** A throw-away certificate authority in memory (P-256), for upstreams that speak TLS. */
export function createCertificateAuthority(name = 'Postern test authority'): CertificateAuthority {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const constraints = extension(OID.basicConstraints, sequence(der(0x01, Buffer.from([0xff]))), true);
  const issuer = { name, key: authority.privateKey };
  const cert = certificate({ issuer, subject: name, publicKey: authority.publicKey, extensions: [constraints] });

  function issue(names: readonly string[], validity?: Validity): ServerCertificate {
    const first = names[0];
    if (first === undefined) throw new RangeError('a certificate needs at least one name');
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const extensions = [extension(OID.subjectAltName, sequence(...names.map(generalName)), false)];
    return {
      key: pemOf(privateKey),
      cert: certificate({ issuer, subject: first, publicKey, extensions, validity }),
    };
  }

  return { cert, key: pemOf(authority.privateKey), issue };
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface CertificateParts {
  readonly issuer: { readonly name: string; readonly key: KeyObject };
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly validity?: Validity | undefined;
}

/** RFC 5280, section 4.1. */
function certificate({ issuer, subject, publicKey, extensions, validity }: CertificateParts): string {
  const algorithm = sequence(objectIdentifier(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  serial[0] = 0x40 | (serial[0]! & 0x3f); // positive, and no zero byte in front
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, serial),
    algorithm,
    distinguishedName(issuer.name),
    sequence(generalizedTime(validity?.from, NOT_BEFORE), generalizedTime(validity?.until, NOT_AFTER)),
    distinguishedName(subject),
    createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', toBeSigned, issuer.key);
  const bytes = sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** RFC 5280, section 4.1.2.5.2: to the second, in UTC. */
function generalizedTime(time: Date | undefined, absent: string): Buffer {
  const text = time?.toISOString().replace(/[-:T]|\.\d+/g, '') ?? absent;
  return der(0x18, Buffer.from(text));
}

/** One DER value: tag, length, content (X.690, section 8.1). */
function der(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const significant = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | significant.length]), significant, content]);
}

function sequence(...items: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(items));
}

function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest.flatMap(base128)];
  return der(0x06, Buffer.from(bytes));
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift(0x80 | (left & 0x7f));
  return bytes;
}

function distinguishedName(commonName: string): Buffer {
  const attribute = sequence(objectIdentifier(OID.commonName), der(0x0c, Buffer.from(commonName)));
  return sequence(der(0x31, attribute));
}

function extension(id: string, value: Buffer, critical: boolean): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(objectIdentifier(id), ...flag, der(0x04, value));
}

/** dNSName or iPAddress of RFC 5280, section 4.2.1.6. */
function generalName(name: string): Buffer {
  return isIP(name) === 0 ? der(0x82, Buffer.from(name)) : der(0x87, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const middle = tail === undefined ? [] : new Array<number>(8 - before.length - after.length).fill(0);
  return Buffer.from([...before, ...middle, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

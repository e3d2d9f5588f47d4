import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { ListenerTls } from '@postern/gateway';
import { cidrSchema, hostSchema, NAME_PATTERN } from '@postern/schemas';
import { type Environment, EnvironmentError } from './environment.ts';
import { type DatabaseSettings, readDatabaseUrl, readRedisUrl } from './store-settings.ts';
import { readTelemetrySettings, type TelemetrySettings } from './telemetry/telemetry-settings.ts';

/** Where a listener binds. Port 0: any free one. */
export interface BindAddress {
  readonly address: string;
  readonly port: number;
}

export interface ListenerSettings {
  readonly bind: BindAddress;
  readonly publicUrl: string | undefined;
  readonly tls: ListenerTls | undefined;
}

/** The environment, read and checked. */
export interface Settings {
  readonly dataFolder: string;
  /** `POSTERN_UNSAFE_ALLOW_CLEARTEXT` */
  readonly allowsCleartext: boolean;
  /** In lower case. */
  readonly hostSuffix: string;
  readonly data: ListenerSettings;
  readonly admin: ListenerSettings;
  readonly trustedProxies: readonly string[];
  readonly database: DatabaseSettings;
  /** Holds a password: it goes to the client and nowhere else. undefined: there is none. */
  readonly redisUrl: string | undefined;
  /** Text of the key ring; undefined: the data folder's own. */
  readonly masterKey: string | undefined;
  /** Which variable it came from, to name in refusals. */
  readonly masterKeyVariable: string;
  readonly adminToken: string | undefined;
  /** undefined: `postern.yaml` if present; empty: none. */
  readonly configFile: string | undefined;
  readonly environment: string | undefined;
  readonly dnsServers: readonly string[] | undefined;
  /** undefined: what the start-up file names. */
  readonly unsafeAllowAddresses: readonly string[] | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: 'json' | 'pretty' | undefined;
  /** undefined: neither traces nor metrics are sent. */
  readonly telemetry: TelemetrySettings | undefined;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** @throws EnvironmentError for the first value that cannot be used. */
export function readSettings(environment: Environment): Settings {
  const get = (name: string) => (environment[name] === '' ? undefined : environment[name]);
  const dataFolder = resolve(get('POSTERN_DATA_DIR') ?? '.postern');
  const allowCleartext = flag(environment, 'POSTERN_UNSAFE_ALLOW_CLEARTEXT');
  return {
    dataFolder,
    allowsCleartext: allowCleartext,
    hostSuffix: hostSuffix(get('POSTERN_HOST_SUFFIX')),
    data: listener(environment, { prefix: 'POSTERN_', fallback: '127.0.0.1:8080', allowCleartext }),
    admin: listener(environment, { prefix: 'POSTERN_ADMIN_', fallback: '127.0.0.1:8081', allowCleartext }),
    trustedProxies: networks(environment, 'POSTERN_TRUSTED_PROXIES') ?? [],
    database: readDatabaseUrl(environment, dataFolder),
    redisUrl: readRedisUrl(environment),
    masterKey: masterKey(environment),
    masterKeyVariable: get('POSTERN_MASTER_KEY') === undefined ? 'POSTERN_MASTER_KEY_FILE' : 'POSTERN_MASTER_KEY',
    adminToken: get('POSTERN_ADMIN_TOKEN'),
    configFile: environment['POSTERN_CONFIG'],
    environment: environmentName(get('POSTERN_ENVIRONMENT')),
    dnsServers: dnsServers(get('POSTERN_DNS_SERVERS')),
    unsafeAllowAddresses: networks(environment, 'POSTERN_UNSAFE_ALLOW_ADDRESSES'),
    logLevel: oneOf(environment, 'POSTERN_LOG_LEVEL', LOG_LEVELS) ?? 'info',
    logFormat: oneOf(environment, 'POSTERN_LOG_FORMAT', ['json', 'pretty'] as const),
    telemetry: readTelemetrySettings(environment),
  };
}

interface ListenerNames {
  readonly prefix: 'POSTERN_' | 'POSTERN_ADMIN_';
  readonly fallback: string;
  readonly allowCleartext: boolean;
}

function listener(environment: Environment, { prefix, fallback, allowCleartext }: ListenerNames): ListenerSettings {
  const name = `${prefix}LISTEN`;
  const bind = bindAddress(name, environment[name] || fallback);
  const tls = tlsFiles(environment, prefix);
  if (tls === undefined && !isLoopback(bind.address) && !allowCleartext) {
    throw new EnvironmentError(
      name,
      `${bind.address} is not a loopback address, and agent keys would cross the network in clear. Give ${prefix}TLS_CERT_FILE and ${prefix}TLS_KEY_FILE, or set POSTERN_UNSAFE_ALLOW_CLEARTEXT=1`,
    );
  }
  return { bind, tls, publicUrl: publicUrl(environment, `${prefix}PUBLIC_URL`) };
}

function bindAddress(name: string, text: string): BindAddress {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (isIP(host) === 0 && host !== 'localhost')) {
    throw new EnvironmentError(name, `"${text}" is not an address with a port, such as 127.0.0.1:8080 or [::1]:8080`);
  }
  return { address: host === 'localhost' ? '127.0.0.1' : host, port };
}

export function isLoopback(host: string): boolean {
  return host === '::1' || /^127\./.test(host);
}

function tlsFiles(environment: Environment, prefix: string): ListenerTls | undefined {
  const cert = fileOf(environment, `${prefix}TLS_CERT_FILE`);
  const key = fileOf(environment, `${prefix}TLS_KEY_FILE`);
  const clientCa = fileOf(environment, `${prefix}CLIENT_CA_FILE`);
  if (cert === undefined && key === undefined) {
    if (clientCa !== undefined)
      throw new EnvironmentError(`${prefix}CLIENT_CA_FILE`, `needs ${prefix}TLS_CERT_FILE and ${prefix}TLS_KEY_FILE`);
    return undefined;
  }
  if (cert === undefined || key === undefined) {
    const missing = cert === undefined ? 'TLS_CERT_FILE' : 'TLS_KEY_FILE';
    throw new EnvironmentError(`${prefix}${missing}`, 'is missing; certificate and key come together');
  }
  checkTls(prefix, { cert, key, clientCa });
  return { cert, key, clientCa };
}

/** OpenSSL's own words tell neither which file nor what would be right. */
function checkTls(prefix: string, { cert, key, clientCa }: ListenerTls): void {
  const refuse = (name: string, problem: string, attempt: () => void) => {
    try {
      attempt();
    } catch {
      throw new EnvironmentError(`${prefix}${name}`, problem);
    }
  };
  refuse('TLS_CERT_FILE', 'the file holds no PEM certificate', () => new X509Certificate(cert));
  refuse('TLS_KEY_FILE', 'the file holds no PEM private key without passphrase', () => createPrivateKey(key));
  refuse('TLS_KEY_FILE', `the key does not match the certificate of ${prefix}TLS_CERT_FILE`, () =>
    createSecureContext({ cert, key }),
  );
  if (clientCa !== undefined)
    refuse('CLIENT_CA_FILE', 'the file holds no PEM certificate', () => new X509Certificate(clientCa));
}

function fileOf(environment: Environment, name: string): string | undefined {
  const path = environment[name];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EnvironmentError(name, `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function publicUrl(environment: Environment, name: string): string | undefined {
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  const isBase =
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '' && !/[?#]/.test(text);
  if (!isBase)
    throw new EnvironmentError(
      name,
      'is not a base URL such as https://postern.example.com, without user, query or fragment',
    );
  return text.replace(/\/+$/, '');
}

const HOST_SUFFIX = 'to.localhost';

function hostSuffix(text: string | undefined): string {
  if (text === undefined) return HOST_SUFFIX;
  const suffix = text.toLowerCase();
  if (hostSchema.safeParse(suffix).success && !suffix.startsWith('[') && isIP(suffix) === 0) return suffix;
  throw new EnvironmentError(
    'POSTERN_HOST_SUFFIX',
    `"${text}" is not a host name such as to.example.com, without port, wildcard or dot before and after it`,
  );
}

function networks(environment: Environment, name: string): string[] | undefined {
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  const list = text.split(',').map((item) => item.trim());
  for (const item of list) {
    if (!cidrSchema.safeParse(item).success)
      throw new EnvironmentError(name, `"${item}" is not a network such as 10.0.0.0/8`);
  }
  return list;
}

function masterKey(environment: Environment): string | undefined {
  const text = environment['POSTERN_MASTER_KEY'];
  const fromFile = fileOf(environment, 'POSTERN_MASTER_KEY_FILE');
  if (text !== undefined && text !== '' && fromFile !== undefined) {
    throw new EnvironmentError('POSTERN_MASTER_KEY_FILE', 'is given beside POSTERN_MASTER_KEY; give one of them');
  }
  return text === undefined || text === '' ? fromFile?.trim() : text;
}

function dnsServers(text: string | undefined): string[] | undefined {
  return text?.split(',').map((item) => {
    const server = item.trim();
    const host = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(server);
    const port = Number(host?.[3] ?? 0);
    if (isIP(host?.[1] ?? host?.[2] ?? '') === 0 || port < 1 || port > 65_535) {
      throw new EnvironmentError(
        'POSTERN_DNS_SERVERS',
        `"${server}" is not an IP address with a port, such as 10.0.0.53:53`,
      );
    }
    return server;
  });
}

/** It becomes part of a file's name. */
function environmentName(text: string | undefined): string | undefined {
  if (text === undefined || NAME_PATTERN.test(text)) return text;
  throw new EnvironmentError('POSTERN_ENVIRONMENT', `"${text}" is not a name of letters, digits, ".", "_" and "-"`);
}

function flag(environment: Environment, name: string): boolean {
  const text = environment[name];
  if (text === undefined || text === '' || text === '0') return false;
  if (text === '1') return true;
  throw new EnvironmentError(name, `"${text}" is neither 1 nor 0`);
}

function oneOf<T extends string>(environment: Environment, name: string, values: readonly T[]): T | undefined {
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw new EnvironmentError(name, `"${text}" is not one of ${values.join(', ')}`);
  return value;
}

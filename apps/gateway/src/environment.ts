/** One variable of the environment, for the program, `.env.example` and the documentation. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly default: string;
  readonly description: string;
}

/** Every variable that the gateway reads. `.env.example` is checked against this list. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = [
  {
    name: 'POSTERN_DATA_DIR',
    default: '.postern',
    description: 'Folder of the database, keys and the admin token; out of the agents’ reach',
  },
  {
    name: 'POSTERN_LISTEN',
    default: '127.0.0.1:8080',
    description: 'Data plane: where agents call. Port 0 is allowed',
  },
  { name: 'POSTERN_ADMIN_LISTEN', default: '127.0.0.1:8081', description: 'Control plane: admin API and /metrics' },
  {
    name: 'POSTERN_PUBLIC_URL',
    default: '',
    description: 'Base of all links into the data plane; default: the listener',
  },
  {
    name: 'POSTERN_ADMIN_PUBLIC_URL',
    default: '',
    description: 'Base of all links into the control plane; default: the listener',
  },
  { name: 'POSTERN_TLS_CERT_FILE', default: '', description: 'PEM certificate chain of the data plane' },
  { name: 'POSTERN_TLS_KEY_FILE', default: '', description: 'PEM key of the data plane' },
  {
    name: 'POSTERN_CLIENT_CA_FILE',
    default: '',
    description: 'PEM authority; clients of the data plane must show a certificate of it',
  },
  { name: 'POSTERN_ADMIN_TLS_CERT_FILE', default: '', description: 'PEM certificate chain of the control plane' },
  { name: 'POSTERN_ADMIN_TLS_KEY_FILE', default: '', description: 'PEM key of the control plane' },
  {
    name: 'POSTERN_ADMIN_CLIENT_CA_FILE',
    default: '',
    description: 'PEM authority; clients of the control plane must show a certificate of it',
  },
  {
    name: 'POSTERN_UNSAFE_ALLOW_CLEARTEXT',
    default: '',
    description: '1 permits a listener without TLS on an address that is not loopback',
  },
  { name: 'POSTERN_TRUSTED_PROXIES', default: '', description: 'CIDRs, comma-separated, whose X-Forwarded-For counts' },
  {
    name: 'POSTERN_HOST_SUFFIX',
    default: 'to.localhost',
    description: 'Calls to the host {integration}.{suffix} go to the integration',
  },
  {
    name: 'POSTERN_DATABASE_URL',
    default: '',
    description: 'sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE; default: postern.db in the data folder',
  },
  {
    name: 'POSTERN_REDIS_URL',
    default: '',
    description: 'redis://… or rediss://…; needed for more than one node on one PostgreSQL',
  },
  {
    name: 'POSTERN_MASTER_KEY',
    default: '',
    description:
      'id:base64,… (32 bytes each); the first seals, all open; the same on all nodes. Default: made in the data folder',
  },
  { name: 'POSTERN_MASTER_KEY_FILE', default: '', description: 'File that holds what POSTERN_MASTER_KEY would' },
  {
    name: 'POSTERN_ADMIN_TOKEN',
    default: '',
    description: 'Token of the bootstrap owner; the same on all nodes. Default: made in the data folder',
  },
  {
    name: 'POSTERN_CONFIG',
    default: 'postern.yaml',
    description: 'Configuration as code, applied at start; empty: none. Default: postern.yaml if present',
  },
  { name: 'POSTERN_ENVIRONMENT', default: '', description: 'Shown in logs and entries' },
  {
    name: 'POSTERN_DNS_SERVERS',
    default: '',
    description: 'host:port,…; default: the system’s. /etc/hosts is read first',
  },
  {
    name: 'POSTERN_UNSAFE_ALLOW_ADDRESSES',
    default: '',
    description:
      'CIDRs within which any integration’s unsafeAllowAddresses must lie; default: what the start-up file names',
  },
  {
    name: 'POSTERN_LOG_LEVEL',
    default: 'info',
    description: 'trace, debug, info, warn, error or silent; logs go to stderr',
  },
  { name: 'POSTERN_LOG_FORMAT', default: 'json', description: 'json or pretty; default: pretty on a terminal' },
  {
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    default: '',
    description: 'An OTLP/HTTP collector for traces and metrics; it and the other standard OTEL_ names. Default: off',
  },
];

/** Named in the specification, read by a later version: refused rather than ignored. */
const NOT_YET: readonly string[] = ['POSTERN_HUB_URL', 'POSTERN_ENROL_TOKEN'];

/** Read by the command line alone. */
const COMMAND_LINE_OWN: readonly string[] = ['POSTERN_ADMIN_URL', 'POSTERN_KEY'];

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value of the environment that cannot be used. The message names the variable, what was wrong and what would be right. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';

  constructor(variable: string, problem: string) {
    super(`${variable}: ${problem}`);
  }
}

/** Refuses what this version cannot honour; returns names that look like ours and are not known, to be warned about. */
export function checkVariableNames(environment: Environment): string[] {
  const known = new Set(ENVIRONMENT_VARIABLES.map((variable) => variable.name));
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('POSTERN_') || value === undefined || value === '') continue;
    if (NOT_YET.includes(name)) throw new EnvironmentError(name, 'is not supported by this version; unset it');
    if (COMMAND_LINE_OWN.includes(name)) continue;
    if (!known.has(name)) unknown.push(name);
  }
  return unknown;
}

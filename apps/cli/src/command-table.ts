import type { CommandMaker } from './command.ts';

export interface CommandEntry {
  readonly summary: string;
  readonly group: 'Gateway' | 'Configuration' | 'Objects' | 'Command line';
  /** Loaded only when it runs: the rest of the program stays off the way of `postern --help`. */
  readonly load: () => Promise<CommandMaker>;
}

/** Every top-level command, in the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  start: {
    summary: 'Run the gateway in this process',
    group: 'Gateway',
    load: async () => (await import('./commands/start.ts')).startCommand,
  },
  doctor: {
    summary: 'Find common mistakes, each with its remedy',
    group: 'Gateway',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  migrate: {
    summary: 'Bring the database to the form that this version needs',
    group: 'Gateway',
    load: async () => (await import('./commands/migrate.ts')).migrateCommand,
  },
  db: {
    summary: 'Move the database to another engine',
    group: 'Gateway',
    load: async () => (await import('./commands/db-import.ts')).dbCommand,
  },
  whoami: {
    summary: 'Who a key or token is',
    group: 'Gateway',
    load: async () => (await import('./commands/whoami.ts')).whoamiCommand,
  },
  explain: {
    summary: 'What would be decided of a call, without sending it',
    group: 'Gateway',
    load: async () => (await import('./commands/explain.ts')).explainCommand,
  },
  apply: {
    summary: 'Make the gateway what a file says',
    group: 'Configuration',
    load: async () => (await import('./commands/apply.ts')).applyCommand,
  },
  export: {
    summary: 'Write the configuration as a file, without secrets',
    group: 'Configuration',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  tenants: {
    summary: 'Isolated organisations',
    group: 'Objects',
    load: async () => (await import('./commands/tenants.ts')).tenantsCommand,
  },
  admins: {
    summary: 'Administrators by token',
    group: 'Objects',
    load: async () => (await import('./commands/admins.ts')).adminsCommand,
  },
  agents: {
    summary: 'Callers, and their keys',
    group: 'Objects',
    load: async () => (await import('./commands/agents.ts')).agentsCommand,
  },
  integrations: {
    summary: 'Upstreams that agents may call',
    group: 'Objects',
    load: async () => (await import('./commands/integrations.ts')).integrationsCommand,
  },
  templates: {
    summary: "Descriptions of providers' APIs, for integrations to use",
    group: 'Objects',
    load: async () => (await import('./commands/templates.ts')).templatesCommand,
  },
  secrets: {
    summary: 'Write-only values for credentials',
    group: 'Objects',
    load: async () => (await import('./commands/secrets.ts')).secretsCommand,
  },
  rules: {
    summary: 'Statements of the policy',
    group: 'Objects',
    load: async () => (await import('./commands/rules.ts')).rulesCommand,
  },
  policy: {
    summary: 'The rules as a whole: try them before they count',
    group: 'Objects',
    load: async () => (await import('./commands/policy.ts')).policyCommand,
  },
  approvals: {
    summary: 'Calls that wait for a person',
    group: 'Objects',
    load: async () => (await import('./commands/approvals.ts')).approvalsCommand,
  },
  grants: {
    summary: 'What approvals let pass',
    group: 'Objects',
    load: async () => (await import('./commands/grants.ts')).grantsCommand,
  },
  claims: {
    summary: 'Idempotency keys, and what became of their calls',
    group: 'Objects',
    load: async () => (await import('./commands/claims.ts')).claimsCommand,
  },
  notifications: {
    summary: 'Who is told of events, and what became of it',
    group: 'Objects',
    load: async () => (await import('./commands/notifications.ts')).notificationsCommand,
  },
  audit: {
    summary: 'What was done, and who allowed it',
    group: 'Objects',
    load: async () => (await import('./commands/audit.ts')).auditCommand,
  },
  keys: {
    summary: 'Make keys for a configuration file',
    group: 'Command line',
    load: async () => (await import('./commands/keys.ts')).keysCommand,
  },
  completion: {
    summary: 'Completion for bash, zsh or fish',
    group: 'Command line',
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
};

const LATER = '"postern --help" lists what is.';

/** Commands of the full program that this version does not have, and what to do instead. */
export const NOT_YET: ReadonlyMap<string, string> = new Map([
  ...[...['edge', 'run', 'users', 'certificates', 'edges', 'buffer', 'commands', 'ca']].map(
    (name) => [name, LATER] as const,
  ),
]);

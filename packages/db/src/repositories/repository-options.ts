export interface RepositoryOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new identifier, unique for ever: agents, integrations, secrets and administrators get one. */
  readonly newId: () => string;
}

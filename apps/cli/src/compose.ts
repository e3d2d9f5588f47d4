/** What of the adapters the command line uses itself, and not through a gateway. */
export {
  type DatabasePlace,
  type ImportProgress,
  type ImportReport,
  importDatabase,
  migrateDatabase,
  readMissingSteps,
} from '@postern/db/migration';

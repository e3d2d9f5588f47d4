/** What is done to whole databases, by the command line; apart from the index, since no gateway needs it. */
export { type ImportProgress, type ImportReport, importDatabase } from './import/import-database.ts';
export { type DatabasePlace, migrateDatabase, readMissingSteps } from './migrate-database.ts';

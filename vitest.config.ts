import { defineConfig } from 'vitest/config';

/** Files share their worker's modules: no test keeps state in one, and loading all anew for each file took most of the time. */
const IN_ONE_WORLD = { isolate: false, maxWorkers: 2 };

/**
 * Five kinds of tests, told apart by where they lie and what they start: `unit` (beside the code), `integration` (sockets, processes,
 * SQLite: `*.integration.test.ts`), `stores` (a real PostgreSQL and Redis, started once for the run: `*.stores.test.ts`, also of the whole
 * program), `system` (the whole program, in `test/`), `timed` (the same, held to a promised time with nothing beside it:
 * `*.timed.test.ts`).
 */
export default defineConfig({
  test: {
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          // The longest takes a second, on a machine that does nothing else.
          testTimeout: 20_000,
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: ['**/*.integration.test.ts', '**/*.stores.test.ts', '**/node_modules/**'],
          ...IN_ONE_WORLD,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['packages/*/src/**/*.integration.test.ts', 'apps/*/src/**/*.integration.test.ts'],
          ...IN_ONE_WORLD,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'stores',
          include: ['packages/*/src/**/*.stores.test.ts', 'apps/*/src/**/*.stores.test.ts', 'test/**/*.stores.test.ts'],
          globalSetup: ['test/support/stores-setup.ts'],
          ...IN_ONE_WORLD,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.stores.test.ts', '**/*.timed.test.ts', '**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...IN_ONE_WORLD,
          // No more than there are cores: some of these tests hold a whole program to its time.
        },
      },
      {
        test: {
          name: 'timed',
          include: ['test/**/*.timed.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          ...IN_ONE_WORLD,
          maxWorkers: 1,
        },
      },
    ],
  },
});

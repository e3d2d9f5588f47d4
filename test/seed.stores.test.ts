import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { command, endOfCommand, startCommand } from './support/command-line.ts';
import { makeRoledDatabase } from './support/postgres-database.ts';
import { startGateway } from './support/start-gateway.ts';

test('npm run seed fills a PostgreSQL database, once, and its gateways know the key', async () => {
  await using folder = await temporaryFolder();
  await using database = await makeRoledDatabase();
  const owner = { folder: folder.path, environment: { POSTERN_DATABASE_URL: database.ownerUrl } };
  expect((await command(['migrate', '--grant-to', database.role], owner)).code).toBe(0);
  const dataFolder = path.join(folder.path, 'data');
  const environment = { POSTERN_DATA_DIR: dataFolder, POSTERN_DATABASE_URL: database.gatewaysUrl };
  const seed = () => endOfCommand(startCommand(['apps/cli/bin/seed.js'], { folder: folder.path, environment }));
  const first = await seed();
  expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^pst_\w+\n$/) });
  expect(await seed()).toMatchObject({
    code: 0,
    out: '',
    notes: expect.stringContaining('dev-agent was there already'),
  });
  await using gateway = await startGateway({ dataFolder, environment });
  const answer = await fetch(`${gateway.dataUrl}/v1/whoami`, { headers: { 'postern-key': first.out.trim() } });
  expect(await answer.json()).toMatchObject({ agent: 'dev-agent', roles: ['developer'], trust: 'medium' });
});

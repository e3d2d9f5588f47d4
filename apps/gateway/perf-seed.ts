import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { generateAgentKey, keyDigest } from '@postern/auth';
import { createDbRepositories, openSqlite, runInTransaction } from '@postern/db';
import { integrationSchema, KEY_SCOPES } from '@postern/schemas';
import { createVault } from '@postern/vault';
import { openDataFolder } from './src/data-folder.ts';
import { openKeys } from './src/keys.ts';
import { readSettings } from './src/settings.ts';

const settings = readSettings(process.env);
const folder = openDataFolder(settings.dataFolder);
const keys = openKeys(settings, folder);
const db = await openSqlite({ file: settings.databaseFile });
const r = createDbRepositories(db, { now: Date.now, newId: () => randomUUID() });
const vault = createVault({ keyRing: keys.keyRing });
const n = Number(process.env['N_AGENTS'] ?? 1),
  rules = Number(process.env['N_RULES'] ?? 100);
await r.tenants.create('default');
const keyList: string[] = [];
await runInTransaction(db, async (c) => {
  const env = vault.seal({ tenant: 'default', name: 's', version: 1 }, Buffer.from('upstream-secret'));
  await r.secrets.createSecretEnvelopeVersion(
    { tenant: 'default', name: 's', version: 1, kekId: env.kekId, envelope: JSON.stringify(env) },
    { origin: 'api' },
    c,
  );
  await r.integrations.create(
    'default',
    integrationSchema.parse({
      name: 'up',
      baseUrl: `http://127.0.0.1:${process.env['UP']}`,
      credential: { type: 'bearer', secret: 's' },
      network: { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true },
      limits: { concurrency: 1000 },
      actions: [{ name: 'chat', methods: ['POST'], paths: ['/v1/chat/**'] }],
    }),
    'api',
    c,
  );
  for (let i = 0; i < rules; i++)
    await r.policyRules.createPolicyRule(
      'default',
      {
        id: `r${i}`,
        effect: 'allow',
        integrations: ['up'],
        methods: ['POST'],
        paths: [i === rules - 1 ? '/v1/chat/**' : `/v1/x${i}/**`],
      },
      'api',
      c,
    );
  await r.directory.bump('default', c);
});
for (let i = 0; i < n; i += 500)
  await runInTransaction(db, async (c) => {
    for (let j = i; j < Math.min(n, i + 500); j++) {
      const a = await r.agents.create(
        'default',
        { name: `a${j}`, roles: ['dev'], trust: 'medium', disabled: false },
        'api',
        c,
      );
      const k = generateAgentKey();
      keyList.push(k.key);
      const d = keyDigest(k.key, keys.agentKeyHmacKeys[0]);
      await r.agents.createKey(
        {
          tenant: 'default',
          id: k.publicId,
          agentId: a.id,
          digest: Buffer.from(d.digest).toString('base64'),
          digestKeyId: d.keyId,
          scopes: [...KEY_SCOPES],
          origin: 'api',
        },
        c,
      );
    }
  });
writeFileSync(process.env['KEYS']!, JSON.stringify(keyList));
await db.close();
folder.release();

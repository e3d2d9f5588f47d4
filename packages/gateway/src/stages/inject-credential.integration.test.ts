import { startUpstream, type Upstream } from '@postern/testing';
import { createVault, generateMasterKey, parseKeyRing } from '@postern/vault';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../client.fixture.ts';
import { TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { resolveLoopback } from '../gateway-parts.fixture.ts';
import { entriesOf, refusedCall, SECRET, startOn } from '../refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, options, integration);
};
const refused = () => refusedCall(gateway, upstream);

describe('stage 10, inject the credential: refused, and the intent closed as not sent, when', () => {
  const NOT_SENT = [{ type: 'intent' }, { type: 'outcome', code: 'credential_unavailable', result: 'not_sent' }];

  async function refusedUnsent(): Promise<void> {
    const answer = await refused();
    expect(answer.problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    expect(answer.text).not.toContain('token');
    expect(await entriesOf(gateway, answer)).toEqual(NOT_SENT);
  }

  test('the secret does not exist', async () => {
    await start({ secrets: {} });
    await refusedUnsent();
  });

  test('the secret was sealed under another master key', async () => {
    await start();
    const other = createVault({ keyRing: parseKeyRing(generateMasterKey()) });
    await gateway.change((context) => gateway.writeSecret('token', SECRET, context, other));
    await refusedUnsent();
  });

  test.each([
    ['is another text', () => 'no envelope'],
    [
      'was changed',
      (envelope: string) =>
        envelope.replace(/"ciphertext":"(.)/, (_match, first) => `"ciphertext":"${first === 'A' ? 'B' : 'A'}`),
    ],
    [
      'belongs to another secret',
      () => JSON.stringify(gateway.vault.seal({ tenant: TENANT, name: 'other', version: 2 }, Buffer.from(SECRET))),
    ],
    [
      'belongs to another version',
      () => JSON.stringify(gateway.vault.seal({ tenant: TENANT, name: 'token', version: 1 }, Buffer.from(SECRET))),
    ],
  ])('the stored envelope %s', async (_what, change) => {
    await start();
    const { kekId, ...envelope } = gateway.vault.seal(
      { tenant: TENANT, name: 'token', version: 2 },
      Buffer.from(SECRET),
    );
    await gateway.change((context) =>
      gateway.repositories.secrets.createSecretEnvelopeVersion(
        { tenant: TENANT, name: 'token', version: 2, kekId, envelope: change(JSON.stringify({ kekId, ...envelope })) },
        { origin: 'api' },
        context,
      ),
    );
    await refusedUnsent();
  });

  test("the secret is not for the agent's environment", async () => {
    await start({ agent: { environment: 'dev' } });
    await gateway.change((context) =>
      gateway.repositories.secrets.updateSecret(TENANT, 'token', { environments: ['prod'] }, context),
    );
    await refusedUnsent();
  });

  test('the secret is too short to be one', async () => {
    await start({ secrets: { token: '1234567' } });
    await refusedUnsent();
  });

  test('the credential would cross the network in clear', async () => {
    await start({}, { network: { unsafeAllowAddresses: ['127.0.0.1/32'] } });
    await refusedUnsent();
  });

  test('never: a credential that is none needs no secret', async () => {
    await start({ secrets: {} }, { credential: { type: 'none' } });
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBeUndefined();
  });
});

describe('one call, one version of the configuration', () => {
  test('a secret written with a new base URL never goes to the old one', async () => {
    await using moved = await startUpstream();
    const resolving = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    await start({
      resolve: async (name) => {
        resolving.resolve();
        await release.promise;
        return resolveLoopback(name);
      },
    });
    const before = upstream.requests.length;
    const pending = call(gateway, '/to/api/x');
    await resolving.promise;
    const { repositories } = gateway;
    await gateway.change(async (context) => {
      const found = await repositories.integrations.getByName(TENANT, 'api', context);
      if (found === undefined) throw new Error('no integration');
      await repositories.integrations.update(
        TENANT,
        found.id,
        { ...found.spec, baseUrl: moved.url, hosts: undefined },
        {},
        context,
      );
      await gateway.writeSecret('token', 'secret-of-the-new-place', context);
    });
    release.resolve();
    await pending;
    const seen = upstream.requests.slice(before).map(({ headers }) => headers['authorization']);
    expect(seen).not.toContain('Bearer secret-of-the-new-place');
    await call(gateway, '/to/api/x');
    expect(moved.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer secret-of-the-new-place']);
  });
});

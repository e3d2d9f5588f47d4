import { startStripeUpstream } from '@postern/testing';
import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const API_KEY = 'sk_test_upstream0123456789abcdef';

const client = clientGateway({
  name: 'stripe',
  stub: () => startStripeUpstream({ apiKey: API_KEY, customers: 5 }),
  credential: { type: 'bearer', secret: 'upstream' },
  secret: API_KEY,
  denied: ['/v1/payouts/**', '/v1/payouts'],
  more: { listen: '127.0.0.1:0' },
});

async function stripe(maxNetworkRetries = 2): Promise<Stripe> {
  const { hostname, port } = new URL(await client.ownUrl());
  return new Stripe(client.key, { host: hostname, port, protocol: 'http', maxNetworkRetries });
}

const check = clientRow({
  client: { package: 'stripe' },
  baseUrl: '`host`, `port`, `protocol` of `listen`',
  agentKey: 'the API key',
});

check('JSON', 'a customer, and a new one', async () => {
  const { customers } = await stripe();
  expect((await customers.retrieve('cus_1')).id).toBe('cus_1');
  expect((await customers.create({ name: 'Grüße' })).name).toBe('Grüße');
});

check('Besides', 'pages follow by themselves', async () => {
  const ids: string[] = [];
  for await (const { id } of (await stripe()).customers.list({ limit: 2 })) ids.push(id);
  expect(ids).toEqual(['cus_1', 'cus_2', 'cus_3', 'cus_4', 'cus_5']);
  return 'pagination';
});

check('404', 'is the error of the client', async () => {
  await expect((await stripe()).customers.retrieve('none')).rejects.toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
  });
});

check('429', 'is told', async () => {
  const { customers } = await stripe();
  await isSentOnce(client.stub, 429, () =>
    expect(customers.create({ name: 'once' })).rejects.toMatchObject({ statusCode: 429 }),
  );
  return 'is told';
});

test('503 is told to a client that does not repeat', async () => {
  const { customers } = await stripe(0);
  await isSentOnce(client.stub, 503, () =>
    expect(customers.create({ name: 'once' })).rejects.toMatchObject({ statusCode: 503 }),
  );
});

check('Denied', 'is an error, and not repeated', () =>
  isRefusedOnce(client, async () => {
    const { payouts } = await stripe();
    const error = await payouts.list().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Stripe.errors.StripePermissionError);
    expect(error).toMatchObject({ statusCode: 403, code: 'denied', message: 'Policy does not allow this call.' });
  }),
);

check('Upload limit', 'is kept to the byte', async () => {
  const { customers } = await stripe();
  return keepsTheLimit(
    client,
    (padding) => customers.create({ name: 'n', description: `d${'x'.repeat(padding)}` }),
    (sending) => expect(sending).rejects.toMatchObject({ statusCode: 413 }),
  );
});

check('50 at once', 'have their own answers', async () => {
  const { customers } = await stripe();
  await answersEach(async (name) => (await customers.create({ name })).name);
});

/**
 * Shows the example in front of a server that plays the shop: `npx node examples/facade/run.ts`. Ends with 1 when something is not as the
 * README says.
 */
import { readFile } from 'node:fs/promises';
import { generateAgentKey } from '@postern/auth';
import { type ShownCall, showCall } from '../show-call.ts';
import { startGateway } from '../start-gateway.ts';
import { freePort, startStub } from '../start-stub.ts';

const shop = await startStub((request, response) => {
  const isKnown = request.headers['x-shop-key'] === 'shop_example';
  response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json', 'x-shop-node': 'db-3' }).end('{}');
});
const desk = generateAgentKey().key;
const port = await freePort();
const file = await readFile(new URL('postern.yaml', import.meta.url), 'utf8');
const config = file.replace('listen: 127.0.0.1:8101', `listen: 127.0.0.1:${port}`).replace(
  'baseUrl: https://shop.example.com/v2',
  `baseUrl: ${shop.url}/v2
    network: { unsafeAllowAddresses: [127.0.0.1/32], unsafeAllowCleartextCredentials: true }`,
);
const gateway = await startGateway(config, { SHOP_KEY: 'shop_example', DESK_KEY: desk });

const headers = { authorization: `Bearer ${desk}`, 'x-tracking': 'desk-bot/1' };

/** A call to the facade's own address. What the gateway answers must not have reached the shop. */
async function show(call: Omit<ShownCall, 'url' | 'headers'> & { readonly path: string }): Promise<void> {
  const before = shop.requests.length;
  await showCall({ ...call, url: `http://127.0.0.1:${port}${call.path}`, headers });
  const reached = shop.requests.length - before;
  if (reached !== (call.expect.by === 'provider' ? 1 : 0)) throw new Error(`${reached} requests reached the shop`);
}

const sent = { by: 'provider' } as const;
const refused = { by: 'refused' } as const;
const post = (path: string, body: unknown) => ({ method: 'POST', path, body });
const voucher = { currency: 'EUR', cents: 1500, order: '4711' };
try {
  await show({ title: 'An order', path: '/orders/4711', expect: sent });
  const [seen] = shop.requests;
  if (seen?.headers['x-tracking'] !== undefined) throw new Error('a field that is not on the list went out');
  await show({ title: 'An order with more than it', path: '/orders/4711?include=payment', expect: refused });
  await show({ title: 'All orders', path: '/orders', expect: refused });
  await show({ title: 'Another kind of thing', path: '/customers/7', expect: refused });
  await show({ title: 'The same behind dots', path: '/orders/..%2Fcustomers/7', expect: refused });
  await show({ title: 'A deleted order', method: 'DELETE', path: '/orders/4711', expect: refused });

  const note = { text: 'Asked twice about the delivery.', visibility: 'internal' };
  await show({ title: 'A note', ...post('/orders/4711/notes', note), expect: sent });
  const shown = { ...note, visibility: 'public' };
  await show({ title: 'A note for the customer', ...post('/orders/4711/notes', shown), expect: refused });
  const long = { ...note, text: 'x'.repeat(501) };
  await show({ title: 'A long note', ...post('/orders/4711/notes', long), expect: refused });
  const more = { ...note, notify: 'everybody' };
  await show({ title: 'A note with one member more', ...post('/orders/4711/notes', more), expect: refused });

  await show({ title: 'A voucher', ...post('/vouchers', voucher), expect: sent });
  await show({ title: 'A large voucher', ...post('/vouchers', { ...voucher, cents: 2001 }), expect: refused });
  await show({ title: 'A voucher without an amount', ...post('/vouchers', { currency: 'EUR' }), expect: refused });
  await show({ title: 'A second voucher', ...post('/vouchers', voucher), expect: sent });
  await show({ title: 'A third', ...post('/vouchers', voucher), expect: sent });
  await show({ title: 'A fourth', ...post('/vouchers', voucher), expect: refused });
} finally {
  await gateway.stop();
  await shop.stop();
}

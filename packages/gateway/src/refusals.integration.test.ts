import { Rejection } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call, openRaw } from './client.fixture.ts';
import { startTestGateway, TENANT, type TestGateway } from './gateway.fixture.ts';
import { Refusals } from './refusals.ts';
import { WideEvent } from './wide-event.ts';

let gateway: TestGateway;

beforeEach(async () => {
  gateway = await startTestGateway();
});

afterEach(async () => {
  await gateway?.close();
});

const stranger = (clientAddress: string | undefined) => {
  const event = new WideEvent('id', 0, 0);
  event.clientAddress = clientAddress;
  return event;
};

describe('refusals', () => {
  test('of nobody known are counted, and written once for each address', async () => {
    using connection = await openRaw(gateway.port);
    for (let round = 0; round < 5; round += 1) {
      connection.write('GET /to/api/x HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await connection.read();
    }
    expect(await gateway.entries()).toEqual([]);
    gateway.gateway.refusals.flush();
    gateway.gateway.refusals.flush();
    const entries = await gateway.entries();
    expect(entries.map(({ type, code, addresses, count }) => ({ type, code, addresses, count }))).toEqual([
      { type: 'denied', code: 'unauthenticated', addresses: ['127.0.0.1'], count: 5 },
    ]);
  });

  test('of a known agent are entries at once', async () => {
    const answer = await call(gateway, '/to/nothing/x');
    const [entry, ...more] = await gateway.entries();
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      type: 'denied',
      code: 'unknown_integration',
      status: 404,
      agent: 'coder',
      integration: 'nothing',
      requestId: answer.problem().requestId,
    });
  });

  test('of more addresses than are remembered are counted all the same', async () => {
    const refusals = new Refusals(gateway.journal, () => 1_000, TENANT);
    const rejection = new Rejection('unauthenticated', 'no key');
    for (let index = 0; index < 10_050; index += 1)
      refusals.record(stranger(`2001:db8::${index.toString(16)}`), rejection);
    refusals.record(stranger(undefined), rejection);
    refusals.flush();
    await gateway.journal.flush();
    expect(await gateway.repositories.audit.size(TENANT)).toBe(10_001);
    const [last] = (await gateway.repositories.audit.query(TENANT, { limit: 1 })).items;
    expect(last).toMatchObject({ addresses: ['other'], count: 51 });
  });
});

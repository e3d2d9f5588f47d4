import { type Answer, call } from './client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway, type TestGatewayOptions } from './gateway.fixture.ts';

export const SECRET = 'secret-of-the-upstream';

/** A gateway with one integration `api`, on an upstream of this port that it calls `upstream.test`, with a bearer credential. */
export function startOn(
  port: number,
  options: TestGatewayOptions = {},
  integration: object = {},
): Promise<TestGateway> {
  return startTestGateway({
    secrets: { token: SECRET },
    integrations: [
      {
        name: 'api',
        baseUrl: `http://upstream.test:${port}`,
        credential: { type: 'bearer', secret: 'token' },
        network: LOOPBACK,
        ...integration,
      },
    ],
    ...options,
  });
}

/** Makes one call that must be refused before anything is sent to the upstream. */
export async function refusedCall(
  gateway: TestGateway,
  upstream: { readonly requests: readonly unknown[] },
  path = '/to/api/x',
): Promise<Answer> {
  const before = upstream.requests.length;
  const answer = await call(gateway, path);
  if (upstream.requests.length !== before) throw new Error('the call was sent');
  if (gateway.calls.at(-1)?.code !== answer.problem().code) throw new Error('the log and the answer differ');
  return answer;
}

/** What the log says of a refused call. */
export async function entriesOf(gateway: TestGateway, answer: Answer): Promise<object[]> {
  const entries = await gateway.entries({ requestId: answer.problem().requestId });
  return entries.map(({ type, code, result, status }) => ({ type, code, result, status }));
}

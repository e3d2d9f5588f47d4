import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { clientRow } from './client-row.ts';
import { type ProgramOptions, runProgram } from './run-program.ts';
import { thingsGateway } from './things-gateway.ts';

/** The machine's own, which has the machine's packages. */
const PYTHON = '/usr/bin/python3';

interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** What `raise_for_status` raises. */
  readonly error: string | null;
}

const client = thingsGateway();

describe.each([
  ['requests', 'HTTPError', '`{gateway}/to/things/…`'],
  ['httpx', 'HTTPStatusError', '`base_url={gateway}/to/things`'],
])('%s', (name, errorName, baseUrl) => {
  const file = fileURLToPath(new URL(`${name}-client.py`, import.meta.url));
  const python = async (parameters: readonly string[], options?: ProgramOptions) => {
    const environment = { URL: client.url, KEY: client.key };
    const { code, stdout, stderr } = await runProgram(PYTHON, [file, ...parameters], { environment, ...options });
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  const call = async (...parameters: readonly string[]) => JSON.parse(await python(['call', ...parameters])) as Told;
  const check = clientRow({ client: { program: `${name} (Python)` }, baseUrl, agentKey: '`Authorization: Bearer`' });

  check('JSON', 'a thing, and a new one', async () => {
    expect(await call('GET', '/things/one')).toMatchObject({ status: 200, body: { name: 'one' }, error: null });
    expect(await call('POST', '/things', '{"name":"Grüße"}')).toMatchObject({ status: 201, body: { name: 'Grüße' } });
  });

  check('404', 'is an error with the document of the upstream', async () => {
    const body = { error: { message: 'nothing at /things/none' } };
    expect(await call('GET', '/things/none')).toMatchObject({ status: 404, body, error: errorName });
  });

  check('429', 'is told, with the time to wait', async () => {
    await isSentOnce(client.stub, 429, async () => {
      const told = await call('POST', '/things', '{}');
      expect([told.status, told.headers['retry-after'], told.error]).toEqual([429, '1', errorName]);
    });
    return 'is told';
  });

  test('503 is told', () =>
    isSentOnce(client.stub, 503, async () => expect((await call('POST', '/things', '{}')).status).toBe(503)));

  check('Denied', 'is an error that holds the problem document', () =>
    isRefusedOnce(client, async () => {
      expect(await call('GET', '/closed/door')).toMatchObject({
        status: 403,
        body: { code: 'denied' },
        error: errorName,
      });
    }),
  );

  check('Streaming', 'an event passes before the next one is made', async () => {
    const release = client.stub.holdStreams();
    const onOutput = (text: string) => text.includes('data: second\n') && release();
    const stdout = await python(['stream', '/events'], { onOutput });
    expect(stdout).toBe('data: first\n\ndata: second\n\ndata: last\n\n');
  });

  for (const [how, option] of [
    ['with a length', 'whole'],
    ['when the length is not told before', 'pieces'],
  ] as const) {
    check('Upload limit', `is kept to the byte, ${how}`, () =>
      keepsTheLimit(
        client,
        (padding) => call('PUT', '/files/f', '', String(padding + 1), option),
        async (sending) =>
          expect(await sending).toMatchObject({ status: 413, body: { code: 'request_too_large' }, error: errorName }),
      ),
    );
  }

  check('50 at once', 'have their own answers', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `name-${index}`);
    const answers = JSON.parse(await python(['many', ...names])) as string[];
    await answersEach(async (each) => answers[names.indexOf(each)]);
  });
});

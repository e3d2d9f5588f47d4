import { startGoogleUpstream } from '@postern/testing';
import { type Common, type drive_v3, google } from 'googleapis';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const TOKEN = 'ya29.upstream-0123456789abcdef';

const client = clientGateway({
  name: 'google',
  stub: () => startGoogleUpstream({ token: TOKEN }),
  credential: { type: 'bearer', secret: 'upstream' },
  secret: TOKEN,
  denied: ['/drive/v3/about'],
});

/** With each call: given once for all, the client keeps nothing of its path, and uploads go past it. */
const through = () => ({ rootUrl: client.url });

function drive(): drive_v3.Drive {
  const auth = new google.auth.OAuth2();
  auth.setCredentials({ access_token: client.key });
  return google.drive({ version: 'v3', auth });
}

const check = clientRow({
  client: { package: 'googleapis' },
  baseUrl: '`rootUrl: {gateway}/to/google`, with each call',
  agentKey: '`access_token` of `OAuth2`',
});

check('JSON', 'a file, and a new one', async () => {
  expect((await drive().files.get({ fileId: 'f1' }, through())).data).toEqual({ id: 'f1', name: 'name of f1' });
  expect((await drive().files.create({ requestBody: { name: 'Grüße' } }, through())).data.name).toBe('Grüße');
});

test('an agent key in the query, where the client puts an API key, is refused', async () => {
  const keyed = google.drive({ version: 'v3', auth: client.key });
  await expect(keyed.files.get({ fileId: 'f1' }, through())).rejects.toMatchObject({ status: 401 });
});

check('404', 'is an error with the message of the upstream', async () => {
  await expect(drive().files.get({ fileId: 'none' }, through())).rejects.toMatchObject({
    status: 404,
    message: 'File not found: none.',
  });
});

check('429', 'is told to the caller of a POST, with the time to wait', async () => {
  await isSentOnce(client.stub, 429, async () => {
    const error = await drive()
      .files.create({ requestBody: { name: 'again' } }, through())
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ status: 429 });
    expect((error as { response: Response }).response.headers.get('retry-after')).toBe('1');
  });
  return 'is told';
});

test('503 is told to the caller of a POST', async () => {
  await isSentOnce(client.stub, 503, () =>
    expect(drive().files.create({ requestBody: {} }, through())).rejects.toMatchObject({ status: 503 }),
  );
});

check('Denied', 'is an error that holds the problem document', () =>
  isRefusedOnce(client, async () => {
    const error = (await drive()
      .about.get({ fields: '*' }, through())
      .catch((reason: unknown) => reason)) as Common.GaxiosError<Blob>;
    expect(error.status).toBe(403);
    expect(JSON.parse((await error.response?.data.text()) ?? '')).toMatchObject({ code: 'denied' });
  }),
);

check('Streaming', 'the first bytes of a file come before the last are made', async () => {
  const release = client.stub.holdStreams();
  const { data } = await drive().files.get({ fileId: 'f1', alt: 'media' }, { ...through(), responseType: 'stream' });
  let text = '';
  for await (const piece of data) {
    text += piece;
    if (text === 'first ') release();
  }
  expect(text).toBe('first last');
});

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(
    client,
    (padding) =>
      drive().files.create(
        { requestBody: { name: 'file' }, media: { mimeType: 'text/plain', body: 'x'.repeat(padding + 1) } },
        through(),
      ),
    (sending) => expect(sending).rejects.toMatchObject({ status: 413 }),
  ),
);

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => (await drive().files.create({ requestBody: { name } }, through())).data.name),
);

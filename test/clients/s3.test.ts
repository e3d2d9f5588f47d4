import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { startS3Upstream } from '@postern/testing';
import { expect, test } from 'vitest';
import { clientGateway } from './client-gateway.ts';
import { answersEach, isRefusedOnce, isSentOnce, keepsTheLimit, waitsForRetryAfter } from './client-proofs.ts';
import { clientRow } from './client-row.ts';

const KEYS = { accessKeyId: 'AKIAUPSTREAM0123', secretAccessKey: 'upstream/Secret+0123456789abcdef' };
const REGION = 'eu-central-1';
const Bucket = 'bucket';

const client = clientGateway({
  name: 's3',
  stub: () => startS3Upstream({ ...KEYS, region: REGION }),
  credential: { type: 'aws_sigv4', service: 's3', region: REGION, secret: 'upstream' },
  secret: JSON.stringify(KEYS),
  denied: ['/closed/**'],
});

/** Signs with keys that are none: what the client signs is taken off, and the agent key travels beside it. */
function s3(maxAttempts = 3): S3Client {
  const client3 = new S3Client({
    ...{ endpoint: client.url, region: REGION, forcePathStyle: true, maxAttempts },
    credentials: { accessKeyId: 'none', secretAccessKey: 'none' },
  });
  client3.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['postern-key'] = client.key;
      return next(args);
    },
    { step: 'build', name: 'agentKey' },
  );
  return client3;
}

const put = (Key: string, Body: string | Uint8Array, maxAttempts?: number) =>
  s3(maxAttempts).send(new PutObjectCommand({ Bucket, Key, Body }));
const get = async (Key: string) => {
  const { Body } = await s3().send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};

const check = clientRow({
  client: { package: '@aws-sdk/client-s3' },
  baseUrl: '`endpoint: {gateway}/to/s3`, `forcePathStyle`',
  agentKey: '`Postern-Key`, by a middleware',
});

check('Besides', 'put and get, with a key that must be encoded', async () => {
  const content = randomBytes(300_000);
  const Key = "folder/a b+ü~!'()*.bin";
  await put(Key, content);
  expect(await get(Key)).toEqual(content);
  return 'put, get';
});

check('Besides', 'a body in chunks, its checksum in a trailer', async () => {
  const content = randomBytes(300_000);
  const Body = Readable.from([content.subarray(0, 100_000), content.subarray(100_000)]);
  await s3().send(new PutObjectCommand({ Bucket, Key: 'chunks', Body, ContentLength: content.byteLength }));
  expect(client.stub.requests.at(-1)?.headers).toMatchObject({
    'content-encoding': 'aws-chunked',
    'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  });
  expect(client.stub.objects.get(`${Bucket}/chunks`)).toEqual(content);
  return 'chunked trailers';
});

check('Besides', 'an upload in parts', async () => {
  const parts = [randomBytes(400_000), randomBytes(500_000)];
  const place = { Bucket, Key: 'parts' };
  const { UploadId } = await s3().send(new CreateMultipartUploadCommand(place));
  const uploaded = await Promise.all(
    parts.map(async (Body, index) => {
      const upload = { ...place, UploadId, PartNumber: index + 1 };
      const { ETag } = await s3().send(new UploadPartCommand({ ...upload, Body }));
      return { ETag, PartNumber: index + 1 };
    }),
  );
  const all = { ...place, UploadId, MultipartUpload: { Parts: uploaded } };
  await s3().send(new CompleteMultipartUploadCommand(all));
  expect(await get('parts')).toEqual(Buffer.concat(parts));
  return 'multipart';
});

check('404', 'is the error NoSuchKey', async () => {
  await expect(get('none')).rejects.toMatchObject({ name: 'NoSuchKey', $metadata: { httpStatusCode: 404 } });
});

check('429', 'is waited for as long as the upstream asks', () =>
  waitsForRetryAfter(client.stub, () => put('again', 'x')),
);

test.each([429, 503] as const)('%i is told to a client that does not repeat', (httpStatusCode) =>
  isSentOnce(client.stub, httpStatusCode, () =>
    expect(put('once', 'x', 1)).rejects.toMatchObject({ $metadata: { httpStatusCode } }),
  ),
);

check('Denied', 'is an error, and not repeated', () =>
  isRefusedOnce(client, () =>
    expect(s3().send(new DeleteObjectCommand({ Bucket: 'closed', Key: 'k' }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    }),
  ),
);

check('Streaming', 'the first bytes of an object pass before the last are made', async () => {
  await put('slow', 'first last');
  const release = client.stub.holdStreams();
  const { Body } = await s3().send(new GetObjectCommand({ Bucket, Key: 'slow' }));
  let text = '';
  for await (const piece of Body as Readable) {
    text += piece;
    if (text === 'first') release();
  }
  expect(text).toBe('first last');
});

check('Upload limit', 'is kept to the byte', () =>
  keepsTheLimit(
    client,
    (padding) => put('limit', Buffer.alloc(padding)),
    (sending) => expect(sending).rejects.toMatchObject({ $metadata: { httpStatusCode: 413 } }),
  ),
);

check('50 at once', 'have their own answers', () =>
  answersEach(async (name) => {
    await put(name, name);
    return (await get(name)).toString();
  }),
);

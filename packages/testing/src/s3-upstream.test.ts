import { Readable } from 'node:stream';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { startS3Upstream } from './s3-upstream.ts';

const identity = { accessKeyId: 'AKIASTUB', secretAccessKey: 'stub-secret', region: 'eu-central-1' };
const clientOf = (endpoint: string, more: object = {}) => {
  const { region, ...credentials } = { ...identity, ...more };
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
};

test('the official client puts and gets, whole and in chunks', async () => {
  await using upstream = await startS3Upstream(identity);
  const client = clientOf(upstream.url);
  const Key = "a b/ü+~!'()*.txt";
  await client.send(new PutObjectCommand({ Bucket: 'b', Key, Body: 'whole' }));
  const Body = Readable.from([Buffer.from('in '), Buffer.from('chunks')]);
  await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'c', Body, ContentLength: 9 }));
  const got = await client.send(new GetObjectCommand({ Bucket: 'b', Key }));
  expect(await got.Body?.transformToString()).toBe('whole');
  expect(upstream.objects.get('b/c')?.toString()).toBe('in chunks');
  expect(upstream.faults).toEqual([]);
});

test.each([
  ['key', { secretAccessKey: 'another' }],
  ['identity', { accessKeyId: 'AKIAOTHER' }],
  ['region', { region: 'us-east-1' }],
])('another %s is refused', async (_what, more) => {
  await using upstream = await startS3Upstream(identity);
  const put = clientOf(upstream.url, more).send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'x' }));
  await expect(put).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
  expect(upstream.faults).toHaveLength(1);
});

test('a body that was changed on the way is refused', async () => {
  await using upstream = await startS3Upstream(identity);
  const client = clientOf(upstream.url);
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign(args.request as object, { body: 'y' });
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  const put = client.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'x' }));
  await expect(put).rejects.toMatchObject({ name: 'BadDigest' });
});

import type { TemplateInput } from '@postern/schemas';
import { READ } from './methods.ts';

/** The bucket itself, in path style. */
const BUCKET = ['/{bucket}', '/{bucket}/'];
const OBJECTS = ['/{bucket}/**'];

export const awsS3: TemplateInput = {
  name: 'aws-s3',
  version: 1,
  provider: 'aws-s3',
  title: 'Amazon S3',
  description:
    'Path style only (s3.REGION.amazonaws.com/bucket/key). What is done stands in the query: PUT of an object also sets its ACL ' +
    '(?acl), PUT of a bucket its policy. So all writes ask; give an integration actions of the same names with your bucket in the ' +
    'path and a lower tier. SlowDown is a plain 503 without a time.',
  sources: [
    'https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html',
    'https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html',
    'https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html',
    'https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html',
    'https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html',
  ],
  baseUrl: 'https://s3.us-east-1.amazonaws.com',
  credential: {
    type: 'aws_sigv4',
    hint: 'service: s3; the region of the base URL; the keys of an IAM user or role whose policy names the bucket',
  },
  actions: [
    { name: 'buckets.list', methods: READ, paths: ['/'], risk: 'low' },
    { name: 'objects.list', methods: READ, paths: BUCKET, risk: 'low' },
    { name: 'objects.read', methods: READ, paths: OBJECTS, risk: 'low' },
    { name: 'objects.write', methods: ['PUT'], paths: OBJECTS, risk: 'high', approval: 'required' },
    // Uploads in parts; also restores and selects.
    { name: 'objects.multipart', methods: ['POST'], paths: OBJECTS, risk: 'high', approval: 'required' },
    { name: 'objects.delete', methods: ['DELETE'], paths: OBJECTS, risk: 'high', approval: 'required' },
    // DeleteObjects: up to a thousand, named in the body.
    { name: 'objects.delete-many', methods: ['POST'], paths: BUCKET, risk: 'high', approval: 'required' },
    { name: 'buckets.configure', methods: ['PUT'], paths: BUCKET, risk: 'high', approval: 'required' },
    { name: 'buckets.delete', methods: ['DELETE'], paths: BUCKET, risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [503], wait: { header: 'retry-after', as: 'retry-after' } }],
};

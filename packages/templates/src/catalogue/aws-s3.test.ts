import { expect, it } from 'vitest';
import { templateFaults } from '../testing/template-faults.ts';
import { awsS3 } from './aws-s3.ts';

it('tells the requests of the documentation apart', () => {
  const faults = templateFaults({
    template: awsS3,
    domains: ['docs.aws.amazon.com'],
    lines: [
      ['GET', '/', 'buckets.list'],
      ['GET', '/amzn-s3-demo-bucket?list-type=2', 'objects.list'],
      ['HEAD', '/amzn-s3-demo-bucket', 'objects.list'],
      ['GET', '/amzn-s3-demo-bucket/photos/2026/puppy.jpg', 'objects.read'],
      ['PUT', '/amzn-s3-demo-bucket/photos/2026/puppy.jpg', 'objects.write'],
      ['PUT', '/amzn-s3-demo-bucket/photos/2026/puppy.jpg?acl', 'objects.write'],
      ['PUT', '/amzn-s3-demo-bucket//puppy.jpg', 'objects.write'],
      ['POST', '/amzn-s3-demo-bucket/movie.m2ts?uploads', 'objects.multipart'],
      ['DELETE', '/amzn-s3-demo-bucket/photos/2026/puppy.jpg', 'objects.delete'],
      ['POST', '/amzn-s3-demo-bucket?delete', 'objects.delete-many'],
      ['POST', '/amzn-s3-demo-bucket/?delete', 'objects.delete-many'],
      ['PUT', '/amzn-s3-demo-bucket?policy', 'buckets.configure'],
      ['PUT', '/amzn-s3-demo-bucket/', 'buckets.configure'],
      ['DELETE', '/amzn-s3-demo-bucket', 'buckets.delete'],
    ],
  });
  expect(faults).toEqual([]);
});

import { describe, expect, test } from 'vitest';
import { EnvironmentError } from './environment.ts';
import { readDatabaseUrl, readRedisUrl } from './store-settings.ts';

const PASSWORD = 'hunter2-hunter2';

function messageOf(task: () => unknown): string {
  try {
    task();
  } catch (error) {
    if (error instanceof EnvironmentError) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('POSTERN_DATABASE_URL', () => {
  const read = (url: string) => readDatabaseUrl({ POSTERN_DATABASE_URL: url }, '/data');

  test.each([
    'postgres://localhost/postern',
    `postgresql://postern:${PASSWORD}@db.example.com:5433/postern`,
    'postgres://postern@[::1]/postern?sslmode=verify-full&sslrootcert=/etc/ca.pem',
    'postgres:///postern?host=/var/run/postgresql',
    'postgres://postern:p%40ss%2Fword@db/postern?application_name=gateway',
  ])('may be %s', (url) => {
    expect(read(url)).toEqual({ kind: 'postgres', url });
  });

  test.each([
    ['mysql://postern:SECRET@db/postern', /sqlite:PATH nor postgres:/],
    ['postgres:postern:SECRET@db', /sqlite:PATH nor postgres:/],
    ['POSTGRES://postern:SECRET@db/postern', /sqlite:PATH nor postgres:/],
    ['postgres://postern:SECRET@one,two/postern', /more than one host/],
    ['postgres://postern:SECRET@one:5432,two:5432/postern', /more than one host/],
    ['postgres://postern:SECRET/x@db/postern', /not a URL|%XX/],
    ['postgres://postern:SECRET#x@db/postern', /%XX/],
    ['postgres://postern:SECRET@db:99999/postern', /not a URL/],
    ['postgres://postern:SECRET@/postern', /not a URL|no host/],
    ['postgres:///postern', /no host/],
    ['postgres://postern:SECRET@db', /no database/],
    ['postgres://postern:SECRET@db/', /no database/],
    ['postgres://postern:SECRET@db/one/two', /no database/],
    ['postgres://postern:SECRET@db/postern?options=-cstatement_timeout%3D0', /not known: options/],
    ['postgres://postern:SECRET@db/postern?sslmode=require&query_timeout=0', /not known: query_timeout/],
  ])('is refused as %s, without telling the password', (url, why) => {
    const message = messageOf(() => read(url.replace('SECRET', PASSWORD)));
    expect(message).toMatch(/^POSTERN_DATABASE_URL: /);
    expect(message).toMatch(why);
    expect(message).not.toContain(PASSWORD);
  });
});

describe('POSTERN_REDIS_URL', () => {
  const read = (url: string) => readRedisUrl({ POSTERN_REDIS_URL: url });

  test.each([
    'redis://localhost',
    'redis://localhost:6380/',
    `rediss://postern:${PASSWORD}@redis.example.com:6380/2`,
    `redis://:${PASSWORD}@[::1]`,
  ])('may be %s', (url) => {
    expect(read(url)).toBe(url);
  });

  test('may be absent', () => {
    expect([read(''), readRedisUrl({})]).toEqual([undefined, undefined]);
  });

  test.each([
    ['localhost:6379', /not the URL/],
    ['http://:SECRET@localhost:6379', /not the URL/],
    ['redis://', /not the URL/],
    ['redis://:SECRET@localhost:63790000', /not the URL/],
    ['redis://:SECRET#x@localhost', /not the URL/],
    ['redis://:SECRET@localhost?family=6', /not the URL/],
    ['redis://:SECRET@localhost/main', /number/],
    ['redis://:SECRET@localhost/0/1', /number/],
  ])('is refused as %s, without telling the password', (url, why) => {
    const message = messageOf(() => read(url.replace('SECRET', PASSWORD)));
    expect(message).toMatch(/^POSTERN_REDIS_URL: /);
    expect(message).toMatch(why);
    expect(message).not.toContain(PASSWORD);
  });
});

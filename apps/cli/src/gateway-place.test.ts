import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recordedContext } from './context.test-support.ts';
import { findAdminPlace, findDataUrl } from './gateway-place.ts';

let workingFolder: string;
beforeEach(() => {
  workingFolder = mkdtempSync(path.join(tmpdir(), 'postern-place-'));
});
afterEach(() => rmSync(workingFolder, { recursive: true }));

function announce(folder: string, pid = process.pid) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    path.join(folder, 'run.json'),
    JSON.stringify({ data: 'http://127.0.0.1:1', admin: 'http://127.0.0.1:2', pid }),
  );
  writeFileSync(path.join(folder, 'admin-token'), 'kept-token\n');
}

const context = (environment: Record<string, string> = {}) => recordedContext({ environment, workingFolder });

describe('the gateway is found', () => {
  test('by the data folder of the working folder', () => {
    announce(path.join(workingFolder, '.postern'));
    expect(findAdminPlace(context())).toEqual({
      url: 'http://127.0.0.1:2',
      token: 'kept-token',
      foundBy: 'data folder',
    });
    expect(findDataUrl(context())).toBe('http://127.0.0.1:1');
  });

  test('by the data folder that POSTERN_DATA_DIR names', () => {
    announce(path.join(workingFolder, 'elsewhere'));
    expect(findAdminPlace(context({ POSTERN_DATA_DIR: 'elsewhere' })).token).toBe('kept-token');
  });

  test('by the environment, even where there is a data folder', () => {
    announce(path.join(workingFolder, '.postern'));
    const environment = { POSTERN_ADMIN_URL: 'https://gate.example.com:8081/', POSTERN_ADMIN_TOKEN: 'given' };
    expect(findAdminPlace(context(environment))).toEqual({
      url: 'https://gate.example.com:8081',
      token: 'given',
      foundBy: 'POSTERN_ADMIN_URL',
    });
  });

  test('by the data folder, with the token that the gateway itself was given', () => {
    announce(path.join(workingFolder, '.postern'));
    rmSync(path.join(workingFolder, '.postern', 'admin-token'));
    expect(() => findAdminPlace(context())).toThrow('set the same here');
    expect(findAdminPlace(context({ POSTERN_ADMIN_TOKEN: 'given' }))).toMatchObject({
      url: 'http://127.0.0.1:2',
      token: 'given',
    });
  });
});

describe('no token is sent', () => {
  test('from the data folder to an address of the environment', () => {
    announce(path.join(workingFolder, '.postern'));
    expect(() => findAdminPlace(context({ POSTERN_ADMIN_URL: 'https://gate.example.com' }))).toThrow(
      'POSTERN_ADMIN_TOKEN is not',
    );
  });

  test('to the address of a gateway that has gone, where anybody may listen now', () => {
    // Larger than any process id.
    announce(path.join(workingFolder, '.postern'), 2 ** 30);
    expect(() => findAdminPlace(context())).toThrow('No gateway runs');
    expect(() => findDataUrl(context())).toThrow('No gateway runs');
  });

  test.each([
    'gate.example.com',
    'ftp://gate.example.com',
    'https://user@gate.example.com',
    'https://gate.example.com/?a=1',
  ])('to %s', (url) => {
    expect(() => findAdminPlace(context({ POSTERN_ADMIN_URL: url, POSTERN_ADMIN_TOKEN: 'given' }))).toThrow(
      'not a base URL',
    );
  });
});

test('without a gateway it is said how to start one', () => {
  expect(() => findAdminPlace(context())).toThrow(
    `No gateway runs on the data folder ${path.join(workingFolder, '.postern')}`,
  );
});

test('a run file that is half written is refused', () => {
  announce(path.join(workingFolder, '.postern'));
  writeFileSync(path.join(workingFolder, '.postern', 'run.json'), '{"data": "http');
  expect(() => findAdminPlace(context())).toThrow('start the gateway again');
});

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, it } from 'vitest';
import { openHostsFile, parseHosts } from './hosts-file.ts';

describe('parseHosts', () => {
  it('reads addresses and names as hosts(5) has them', () => {
    const entries = parseHosts(
      [
        '# comment',
        '127.0.0.1\tlocalhost',
        '  10.0.0.5   Db.Internal. db # the database',
        '::1 localhost ip6-localhost',
        'fe80::1%lo0 localhost',
        '10.0.0.5 db',
        'nonsense db',
        '10.0.0.6 db\r',
        '10.0.0.7',
        '10.0.0.8#db',
      ].join('\n'),
    );
    expect(Object.fromEntries(entries)).toEqual({
      localhost: ['127.0.0.1', '::1'],
      'ip6-localhost': ['::1'],
      'db.internal': ['10.0.0.5'],
      db: ['10.0.0.5', '10.0.0.6'],
    });
  });
});

describe('openHostsFile', () => {
  it('sees a change of the file, its removal and its return', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'hosts');
    const hosts = openHostsFile(path);
    expect(await hosts.lookUp('db')).toEqual([]);
    await writeFile(path, '10.0.0.5 db\n');
    expect(await hosts.lookUp('db')).toEqual(['10.0.0.5']);
    await writeFile(path, '10.0.0.5 db\n10.0.0.66 db\n');
    expect(await hosts.lookUp('db')).toEqual(['10.0.0.5', '10.0.0.66']);
    await folder.remove();
    expect(await hosts.lookUp('db')).toEqual([]);
  });

  it('fails on what is no file, so that no name is resolved past it', async () => {
    await using folder = await temporaryFolder();
    await expect(openHostsFile(folder.path).lookUp('db')).rejects.toThrow('EISDIR');
  });
});

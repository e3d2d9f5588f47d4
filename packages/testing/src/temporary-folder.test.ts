import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

test('a folder is new and empty, and is removed with its content', async () => {
  let kept: string;
  {
    await using folder = await temporaryFolder();
    kept = folder.path;
    expect(readdirSync(kept)).toEqual([]);
    writeFileSync(path.join(kept, 'file'), 'content');
  }
  expect(existsSync(kept)).toBe(false);
});

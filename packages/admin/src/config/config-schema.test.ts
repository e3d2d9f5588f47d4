import { readFile } from 'node:fs/promises';
import { configJsonSchema } from '@postern/schemas';
import { expect, test } from 'vitest';

test('the published JSON Schema of documents is that of the code', async () => {
  const published = await readFile(new URL('../../../../docs/config.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(published)).toEqual(configJsonSchema());
});

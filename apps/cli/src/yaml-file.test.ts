import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { recordedContext } from './context.test-support.ts';
import { readYamlFile } from './yaml-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'postern-yaml-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  writeFileSync(path.join(folder, 'postern.yaml'), text);
  return readYamlFile(recordedContext({ workingFolder: folder }), 'postern.yaml');
}

const DOCUMENT = `version: 1
integrations:
  - name: github
    timeouts: { connectMs: 1 }
  - name: slack
    hosts:
      - slack.com
`;

describe('a file', () => {
  test('is read as plain data, and knows the folder it lies in', async () => {
    const file = await read(DOCUMENT);
    expect(file.value).toEqual({
      version: 1,
      integrations: [
        { name: 'github', timeouts: { connectMs: 1 } },
        { name: 'slack', hosts: ['slack.com'] },
      ],
    });
    expect(file.folder).toBe(folder);
  });

  test.each([
    ['version', 1],
    ['integrations[0].name', 3],
    ['integrations[0].timeouts.connectMs', 4],
    ['integrations[1].hosts[0]', 7],
    ['integrations[1].baseUrl', 5],
    ['integrations[9]', 2],
    ['', 1],
  ])('tells the line of %s', async (field, line) => {
    expect((await read(DOCUMENT)).lineOf(field)).toBe(line);
  });

  test('may be JSON', async () => {
    expect((await read('{"version": 1,\n "rules": []}')).lineOf('rules')).toBe(2);
  });

  test('may come from standard input, and then paths in it start from the working folder', async () => {
    const file = await readYamlFile(recordedContext({ workingFolder: folder, inputText: 'version: 1' }), '-');
    expect(file).toMatchObject({ name: 'stdin', folder, value: { version: 1 } });
  });
});

describe('a file is refused, with its line and without its text,', () => {
  test.each([
    ['for a key that is there twice', 'version: 1\ntoken: geheim\ntoken: geheim', 'postern.yaml:3: duplicate key'],
    ['for a tag', 'version: 1\ntoken: !geheim x', 'postern.yaml:2: tag resolve failed'],
    ['for a bracket that is not closed', 'token: [geheim', 'postern.yaml:1: bad indent'],
    ['for several documents', 'token: geheim\n---\nversion: 1', 'multiple docs'],
  ])('%s', async (_name, text, line) => {
    const error = await read(text).then(undefined, (reason) => reason);
    expect(error.name).toBe('Failure');
    expect(error.lines.join('\n')).toContain(line);
    expect(`${error.message} ${error.lines}`).not.toContain('geheim');
  });

  test('for anchors that multiply', async () => {
    const levels = Array.from(
      { length: 9 },
      (_, level) => `l${level + 1}: &l${level + 1} [${'*l'.concat(String(level), ',').repeat(9)}]`,
    );
    await expect(read(`l0: &l0 [x]\n${levels.join('\n')}`)).rejects.toThrow('anchors');
  });

  test('when it cannot be read', async () => {
    await expect(readYamlFile(recordedContext({ workingFolder: folder }), 'absent.yaml')).rejects.toThrow('ENOENT');
  });
});

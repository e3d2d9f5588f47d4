import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const POSTERN = fileURLToPath(new URL('../apps/cli/src/main.ts', import.meta.url));

/** Runs a program of Node in the root of the checkout, as the guides tell people to. */
async function run(...command: readonly string[]) {
  const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr, code: code as number | null };
}

describe('the examples', () => {
  it('github: limits of the provider take effect, people decide what they should', async () => {
    const { stdout, stderr, code } = await run('examples/github/run.ts');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(12);
    expect(lines[1]).toMatch(/^A read, the limit used up for a second: the provider answers \(200, [12]\.\d s\)$/);
    expect(lines[10]).toMatch(/^A merge: a person is asked/);
  });

  it('facade: three calls pass, and nothing else', async () => {
    const { stdout, stderr, code } = await run('examples/facade/run.ts');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.filter((line) => line.includes(': the provider answers'))).toHaveLength(5);
    expect(lines.filter((line) => line.includes(': the gateway refuses'))).toHaveLength(11);
  });

  it.each([
    ['examples/policies', 7],
    ['policies', 1],
  ])('the tests of %s pass', async (folder, files) => {
    const { stdout, stderr, code } = await run(POSTERN, 'policy', 'test', folder, '--json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ failed: 0 });
    expect(report.files).toHaveLength(files);
  });

  it('the template of the guide can be published', async () => {
    const guide = await readFile(`${ROOT}/docs/guides/templates.md`, 'utf8');
    const template = /```yaml\n(name: acme\n[^`]*)```/.exec(guide)?.[1] ?? '';
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'acme.yaml');
    await writeFile(file, template);
    const { stdout, stderr, code } = await run(POSTERN, 'templates', 'check', '-f', file);
    expect(`${stdout}${stderr}`).toMatch(/acme@1/);
    expect(code).toBe(0);
  });
});

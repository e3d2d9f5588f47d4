import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deployFile, instructionsOf } from './support/deployment.ts';
import { filesBelow, type ImageTree, makeImageTree } from './support/image-tree.ts';

/** The variables of the image, with its data folder here and any free ports. */
function environmentOf({ data }: ImageTree): Record<string, string> {
  const pairs = instructionsOf(deployFile('Dockerfile'))
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split('=') as [string, string]));
  const image = Object.fromEntries(pairs);
  return {
    ...image,
    POSTERN_DATA_DIR: (image['POSTERN_DATA_DIR'] ?? '').replace('/data', data),
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
  };
}

interface Started {
  readonly dataUrl: string;
  /** The line that the demo tells to try. */
  readonly curl: readonly string[];
  /** SIGTERM; the exit code, and all that went to stderr. */
  stop(): Promise<{ code: number | null; stderr: string }>;
}

async function start(tree: ImageTree): Promise<Started> {
  const child = tree.node(['apps/cli/bin/postern.js', 'start', '--demo'], environmentOf(tree));
  let [stdout, stderr] = ['', ''];
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const exited = once(child, 'close');
  await new Promise<void>((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      if (stdout.includes('Control plane:')) resolve();
    });
    void exited.then(() => reject(new Error(`it ended before it was ready:\n${stderr}`)));
  });
  const [, key = '', url = ''] = /curl -H '(Postern-Key: [^']+)' (\S+)/.exec(stdout) ?? [];
  return {
    dataUrl: /data=(\S+)/.exec(stdout)?.[1] ?? '',
    curl: [url, key],
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return { code, stderr };
    },
  };
}

describe('what the image holds', () => {
  let tree: ImageTree;

  beforeAll(async () => {
    tree = await makeImageTree();
    await tree.makeReadOnly();
  });

  afterAll(async () => {
    await tree?.close();
  });

  test('cannot be written to by its user', async () => {
    const attempt = `require('fs').writeFileSync('node_modules/x', '')`;
    const { code, output } = await tree.nodeToEnd(['-e', attempt]);
    expect(code).toBe(1);
    expect(output).toMatch(/EACCES|EROFS/);
  });

  test('runs the gateway all the same: it answers a call, is found healthy and ends well', async () => {
    const gateway = await start(tree);
    const [url = '', key = ''] = gateway.curl;
    const answer = await fetch(url, { headers: { 'postern-key': key.replace(/^Postern-Key: /, '') } });
    expect(answer.status).toBe(200);
    expect(await tree.nodeToEnd(['deploy/healthcheck.js'], environmentOf(tree))).toEqual({ code: 0, output: '' });
    const { code, stderr } = await gateway.stop();
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/"level":"(warn|error)"/);
  });

  test('is not healthy when no gateway runs', async () => {
    const { code, output } = await tree.nodeToEnd(['deploy/healthcheck.js'], environmentOf(tree));
    expect(code).toBe(1);
    expect(output).toContain('ENOENT');
  });

  test('keeps its compiled code from the build, and its user cannot change it', async () => {
    await tree.giveFolder('node_modules/.cache');
    const warmed = await tree.nodeToEnd(['deploy/warm-up.js']);
    expect(warmed.code).toBe(0);
    await tree.makeReadOnly();
    const kept = await filesBelow(`${tree.app}/node_modules/.cache/postern`);
    expect(kept.length).toBeGreaterThan(100);
    const gateway = await start(tree);
    const [url = '', key = ''] = gateway.curl;
    expect((await fetch(url, { headers: { 'postern-key': key.replace(/^Postern-Key: /, '') } })).status).toBe(200);
    expect((await gateway.stop()).code).toBe(0);
    expect(await filesBelow(`${tree.app}/node_modules/.cache/postern`)).toEqual(kept);
  });
});

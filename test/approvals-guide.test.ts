import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startUpstream } from '@postern/testing';
import { expect, test } from 'vitest';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** The run in the guide is what these programs answer: `WRITE_GUIDES=1` writes it anew. */
const GUIDE = path.resolve(import.meta.dirname, '../docs/guides/approvals.md');
const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');
const BEGIN =
  '<!-- run:begin (written by the test: WRITE_GUIDES=1 npx vitest run --project system test/approvals-guide.test.ts) -->';
const END = '<!-- run:end -->';

const coder = newAgent('coder');
const RULES = [
  { id: 'reads', effect: 'allow', methods: ['GET'] },
  {
    id: 'payments',
    effect: 'require_approval',
    agents: ['coder'],
    integrations: ['bank'],
    methods: ['POST'],
    approval: { approvers: 1, groups: [], pendingSeconds: 900, grant: 'times', executeSeconds: 600 },
  },
];

const PAY =
  'curl -s $POSTERN_URL/to/bank/payments -H "Postern-Key: $AGENT_KEY" -H "Postern-Intent: invoice 17" --json \'{"to": "Bob", "amount": 5}\'';

test('the run in the guide to approvals is what the programs answer', async () => {
  await using upstream = await startUpstream({
    handler: (_request, response) => void response.end(`{"paid": true, "payment": ${upstream.requests.length}}\n`),
  });
  const config = configOf([coder], [integration('bank', upstream.url)], { rules: RULES }) as { agents: object[] };
  config.agents = config.agents.map((agent) => ({ ...agent, owner: 'alice' }));
  await using gateway = await startGateway({ config });
  const bob = (await terminal(gateway, {}, 'postern admins create bob --role approver 2> /dev/null')).trim();
  const agent = { POSTERN_URL: gateway.dataUrl, AGENT_KEY: coder.key };
  const approver = { POSTERN_ADMIN_URL: gateway.adminUrl, POSTERN_ADMIN_TOKEN: bob };

  const lines: string[] = [];
  const run = async (variables: Record<string, string>, command: string, note?: string) => {
    const out = await terminal(gateway, variables, command);
    lines.push(...(note === undefined ? [] : ['', `# ${note}`]), `$ ${command}`, out.trimEnd());
    return out;
  };
  const held = await run(agent, PAY, 'The agent pays; a rule holds the call.');
  const id: string = JSON.parse(held).approval.id;
  await run(approver, 'postern approvals list --status pending', 'Bob looks at what waits for him.');
  await run(approver, `postern approvals show ${id}`);
  expect(upstream.requests).toHaveLength(0);
  await run(approver, `postern approvals approve ${id} --note "invoice 17 is due"`);
  expect(await run(agent, PAY, 'The agent sends the same call again: it passes, once.')).toBe(
    '{"paid": true, "payment": 1}\n',
  );
  await run(agent, `${PAY} -o /dev/null -w '%{http_code}\\n'`, 'And once more: it asks again.');
  await run(
    {},
    'postern audit list --type approval.decided',
    'Who allowed it stands in the log, for those who read it.',
  );
  expect(upstream.requests).toHaveLength(1);

  const recorded = plain(lines.slice(1).join('\n'), { gateway, upstreamUrl: upstream.url });
  const guide = await readFile(GUIDE, 'utf8');
  const [begin, end] = [guide.indexOf(BEGIN), guide.indexOf(END)];
  expect(begin).toBeGreaterThan(0);
  const block = `${BEGIN}\n\n\`\`\`console\n${recorded}\n\`\`\`\n\n`;
  if (process.env['WRITE_GUIDES'] === '1') await writeFile(GUIDE, guide.slice(0, begin) + block + guide.slice(end));
  else expect(guide.slice(begin, end)).toBe(block);
});

/** What a shell prints in which `postern` is the program of this checkout. */
async function terminal(
  gateway: RunningGateway,
  variables: Readonly<Record<string, string>>,
  command: string,
): Promise<string> {
  const bin = path.join(gateway.dataFolder, 'bin-of-test');
  await mkdir(bin, { recursive: true });
  await writeFile(path.join(bin, 'postern'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`);
  await chmod(path.join(bin, 'postern'), 0o755);
  const own = Object.entries(process.env).filter(([name]) => !/^(?:POSTERN_|NODE_OPTIONS$|VITEST)/.test(name));
  const place = Object.keys(variables).some((name) => name.startsWith('POSTERN_ADMIN'))
    ? {}
    : { POSTERN_DATA_DIR: gateway.dataFolder };
  const child = spawn('sh', ['-c', command], {
    cwd: gateway.dataFolder,
    env: { ...Object.fromEntries(own), PATH: `${bin}:${process.env['PATH']}`, TZ: 'UTC', ...place, ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const notes: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => notes.push(piece));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code, `${command}\n${Buffer.concat([...out, ...notes])}`).toBe(0);
  return Buffer.concat(out).toString();
}

const TIME = /\d{4}-\d{2}-\d{2}([T ])\d{2}:\d{2}:\d{2}(?:\.\d+Z)?/g;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const STEP_MS = 300_000;
const RECORDED_AT = Date.UTC(2026, 2, 2, 9, 30);

/** The same in every run: what each start makes anew is replaced by something of the same length. */
function plain(text: string, made: { readonly gateway: RunningGateway; readonly upstreamUrl: string }): string {
  const beganAt = Date.parse(`${TIME.exec(text)?.[0].replace(' ', 'T').replace(/Z?$/, 'Z')}`);
  const uuids = new Map<string, string>();
  return text
    .replaceAll(made.gateway.dataUrl, 'http://127.0.0.1:8080')
    .replaceAll(made.upstreamUrl, 'http://127.0.0.1:40017')
    .replace(UUID, (uuid) => {
      const known = uuids.get(uuid) ?? `${String(uuids.size + 1).repeat(8)}-0c3b-4f7e-9a51-${'27d4b86e10fa'}`;
      uuids.set(uuid, known);
      return known;
    })
    .replace(TIME, (time, separator: string) => {
      const at = Date.parse(time.replace(' ', 'T').replace(/Z?$/, 'Z'));
      // How long the run itself took is of no account.
      const shown = new Date(RECORDED_AT + Math.round((at - beganAt) / STEP_MS) * STEP_MS).toISOString();
      return separator === 'T' ? shown : shown.slice(0, 19).replace('T', ' ');
    })
    .replace(/\b\d s\b/g, '2 s')
    .replace(/curl\/[\d.]+/g, 'curl/8.5.0')
    .replace(/\b[0-9a-f]{64}\b/g, (digest) => `${'4be1'.repeat(16)}`.slice(0, digest.length));
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { type Agent, configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');
const [coder, other] = [newAgent('coder'), newAgent('other')];

let upstream: Upstream;
let gateway: RunningGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  const rules = [{ id: 'writes', effect: 'require_approval', methods: ['POST'] }];
  gateway = await startGateway({ config: configOf([coder, other], [integration('bank', upstream.url)], { rules }) });
});
afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

/** Sends a call that is held, and tells its approval's id. */
async function hold({ key }: Agent): Promise<string> {
  const answer = await call(gateway.dataUrl, '/to/bank/pay', { body: 'x', headers: { 'postern-key': key } });
  expect(answer.problem()).toMatchObject({ status: 428, code: 'approval_required' });
  return answer.problem().approval?.id ?? '';
}

async function newAdmin(name: string, role: string): Promise<string> {
  const { code, out, notes } = await postern(gateway, ['admins', 'create', name, '--role', role]);
  expect(code, notes).toBe(0);
  return out.trim();
}

describe('watching', () => {
  interface Watcher {
    readonly child: ChildProcess;
    readonly out: () => string;
    readonly notes: () => string;
    readonly ended: Promise<readonly unknown[]>;
  }

  function watch(token: string, ...options: string[]): Watcher {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('POSTERN_'));
    const child = spawn(process.execPath, [BIN, 'approvals', 'watch', ...options], {
      env: { ...Object.fromEntries(own), POSTERN_ADMIN_URL: gateway.adminUrl, POSTERN_ADMIN_TOKEN: token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const written = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        written[name] += text;
      });
    }
    return { child, out: () => written.stdout, notes: () => written.stderr, ended: once(child, 'close') };
  }

  const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 20 });
  const linesOf = ({ out }: Watcher) =>
    out()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  test('tells what is pending, then what comes, and Ctrl-C ends it with 0', async () => {
    const wil = await newAdmin('wil', 'approver');
    const first = await hold(coder);
    const people = watch(wil);
    const script = watch(wil, '--json');
    await until(() => {
      expect(people.notes()).toContain('Watching; Ctrl-C ends it.');
      expect(script.notes()).toContain('Watching');
    });
    expect(people.out()).toContain(`${first}  pending  coder: POST `);
    const second = await hold(other);
    await until(() => expect(people.out()).toContain(`${second}  pending  other: POST `));
    await postern(gateway, ['approvals', 'deny', second, '--reason', 'no']);
    await until(() => expect(people.out()).toContain(`${second}  denied by bootstrap  other: `));
    await until(() => expect(linesOf(script).at(-1)).toMatchObject({ type: 'approval.decided' }));
    const ofSecond = linesOf(script).filter(({ data }) => data.approvalId === second);
    expect(ofSecond.map(({ type }) => type)).toEqual(['approval.created', 'approval.decided']);
    for (const watcher of [people, script]) {
      watcher.child.kill('SIGINT');
      expect(await watcher.ended).toEqual([0, null]);
    }
  });

  test('does not hold up the end of the gateway, and goes on trying', async () => {
    const zoe = await newAdmin('zoe', 'auditor');
    const watcher = watch(zoe);
    await until(() => expect(watcher.notes()).toContain('Watching'));
    const beganAt = performance.now();
    expect(await gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(performance.now() - beganAt).toBeLessThan(5_000);
    await until(() => expect(watcher.notes()).toContain('The connection was lost; trying again.'));
    watcher.child.kill('SIGINT');
    expect(await watcher.ended).toEqual([0, null]);
  });

  test('without a gateway is a failure', async () => {
    const watcher = watch('token-of-nobody');
    expect(await watcher.ended).toEqual([1, null]);
    expect(watcher.notes()).toMatch(/^postern: /);
  });
});

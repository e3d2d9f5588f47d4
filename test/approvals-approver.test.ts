import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { type CallOptions, call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

const ask = (id: string, where: object, approval: object = {}) => ({
  id,
  effect: 'require_approval',
  methods: ['POST'],
  ...where,
  approval: { approvers: 1, groups: [], pendingSeconds: 900, grant: 'rule', executeSeconds: 600, ...approval },
});

const RULES = [
  { id: 'reads', effect: 'allow', methods: ['GET'] },
  ask('writes', { paths: ['/pay/**'] }),
  ask('both', { paths: ['/both/**'] }, { groups: ['security', 'legal'] }),
  ask('two', { paths: ['/two/**'] }, { approvers: 2, grant: 'once' }),
];

let upstream: Upstream;
let gateway: RunningGateway;
beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end('made') });
  const config = configOf([coder], [integration('bank', upstream.url)], { rules: RULES }) as {
    agents: object[];
  };
  config.agents = config.agents.map((agent) => ({ ...agent, owner: 'alice' }));
  gateway = await startGateway({ config });
});
afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

let count = 0;
/** A call that nobody made before, or the same again. */
const send = (target: string, body: string | Uint8Array, { headers, ...options }: CallOptions = {}) =>
  call(gateway.dataUrl, `/to/bank${target}`, { body, ...options, headers: { 'postern-key': coder.key, ...headers } });
const fresh = (note = '') => {
  count += 1;
  return `call ${count} ${note}`;
};
/** Sends a call that is held, and tells its approval's id. */
async function hold(target: string, body: string, options: CallOptions = {}): Promise<string> {
  const answer = await send(target, body, options);
  expect(answer.problem()).toMatchObject({ status: 428, code: 'approval_required' });
  return answer.problem().approval?.id ?? '';
}

async function newAdmin(name: string, ...options: string[]): Promise<string> {
  const { code, out, notes } = await postern(gateway, ['admins', 'create', name, ...options]);
  expect(code, notes).toBe(0);
  return out.trim();
}

/** `postern approvals …` with somebody's token; by default the owner's, from the data folder. */
const approvals = (args: readonly string[], token?: string) => postern(gateway, ['approvals', ...args], '', token);

test('a held call is seen, shown, approved, and passes once', async () => {
  const bob = await newAdmin('bob', '--role', 'approver');
  const body = fresh('pay b\u202eob \u001b[2J');
  const before = upstream.requests.length;
  const id = await hold('/pay/1?x=1', body, { headers: { 'postern-intent': 'pay the bill' } });

  const list = await approvals(['list', '--status', 'pending'], bob);
  expect(list.code).toBe(0);
  expect(list.out).toMatch(/^ID +STATUS +AGE +AGENT +RISK +WHAT +REASON +NEXT\n/);
  expect(list.out).toContain(id);
  expect(list.out).toContain('1 more person must approve');
  const [listed] = (await approvals(['list', '--json', '--agent', 'coder'], bob)).json().items;
  expect(listed).toMatchObject({ id, status: 'pending', agent: 'coder', integration: 'bank', intent: 'pay the bill' });

  const shown = await approvals(['show', id], bob);
  expect(shown.out).toContain(`  POST ${upstream.url}/pay/1?x=1\n`);
  expect(shown.out).toContain(`  | ${body.replace('\u202e', '\\u{202e}').replace('\u001b', '\\u{1b}')}\n`);
  expect(shown.out).toContain('Some characters do not show');
  expect(shown.out).not.toMatch(/[\u202e\u001b]/);
  expect(shown.out).not.toContain(coder.key);
  expect(shown.out).toContain('It can be approved with --grant:');

  const approved = await approvals(['approve', id, '--note', 'it is due'], bob);
  expect(approved).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Approved\. This exact request, once, until /),
  });
  expect(await approvals(['approve', id])).toMatchObject({
    code: 1,
    out: '',
    notes: expect.stringMatching(/The approval is already decided: It was approved by bob at /),
  });
  expect((await send('/pay/1?x=1', body)).text).toBe('made');
  expect(upstream.requests.length).toBe(before + 1);
  expect(await hold('/pay/1?x=1', body)).not.toBe(id);
  const entries = await auditEvents(gateway, { type: 'approval.decided' });
  expect(entries.filter(({ approval }) => approval === id)).toMatchObject([
    { actor: 'bob', decision: 'require_approval', reason: 'it is due' },
    { actor: 'bob', decision: 'allow', reason: 'it is due', grant: expect.any(String) },
  ]);
});

test('a call that waits goes on within 250 ms of the decision, and a denied one is told so', async () => {
  const pendingOf = async (summary: string) =>
    await vi.waitFor(async () => {
      const { items } = (await approvals(['list', '--status', 'pending', '--json'])).json();
      const found = items.find((item: { summary: string }) => item.summary.includes(summary));
      if (found === undefined) throw new Error(`${summary} is not asked for yet`);
      return found.id as string;
    });
  const waiting = send('/pay/wait', fresh(), { headers: { prefer: 'wait=20' } });
  const id = await pendingOf('/pay/wait');
  const path = `/v1/approvals/${id}/approve`;
  let tookMs = Number.NaN;
  const decided = control(gateway, 'POST', path, { body: {} }).then(() => performance.now());
  const answer = await waiting;
  tookMs = performance.now() - (await decided);
  expect(answer.text).toBe('made');
  expect(tookMs).toBeLessThan(250);

  const denied = send('/pay/never', fresh(), { headers: { prefer: 'wait=20' } });
  const other = await approvals(['deny', await pendingOf('/pay/never'), '--reason', 'not this one', '--until', '1h']);
  expect(other).toMatchObject({ code: 0, out: expect.stringMatching(/^Denied\. The same call asks nobody until /) });
  expect((await denied).problem()).toMatchObject({ status: 403, code: 'approval_denied' });
});

describe('a quorum', () => {
  test('of two groups takes one person of each, never the owner, and counts the groups of the moment', async () => {
    const sam = await newAdmin('sam', '--role', 'approver', '--group', 'security', '--group', 'legal');
    const lea = await newAdmin('lea', '--role', 'approver');
    const alice = await newAdmin('Alice', '--role', 'admin', '--group', 'legal');
    const body = fresh();
    const id = await hold('/both/1', body);
    expect((await approvals(['approve', id], alice)).notes).toContain('You own the agent coder');
    expect((await approvals(['approve', id], lea)).notes).toMatch(
      /Only members of (?:legal or security|security or legal) may approve this/,
    );
    expect(await approvals(['approve', id, '--grant', 'times:2'], sam)).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^Your yes is noted\. 1 more person of (?:legal or security|security or legal) must approve\.\n$/,
      ),
    });
    expect(await approvals(['approve', id], sam)).toMatchObject({ code: 1 });
    expect((await postern(gateway, ['admins', 'update', 'sam', '--no-groups'])).out).toBe(
      'Administrator sam is in no group.\n',
    );
    expect((await postern(gateway, ['admins', 'update', 'lea', '--group', 'legal'])).code).toBe(0);
    expect((await send('/both/1', body)).status).toBe(428);
    expect((await approvals(['approve', id, '--grant', 'rule'], lea)).out).toMatch(/This exact request, 2 times, /);
    expect((await send('/both/1', body)).text).toBe('made');
    expect((await send('/both/1', body)).text).toBe('made');
    expect((await send('/both/1', body)).status).toBe(428);
    expect((await postern(gateway, ['admins', 'list'])).out).toMatch(/^lea +approver +default +legal/m);
  });

  test('does not count who is no administrator any more', async () => {
    const eve = await newAdmin('eve', '--role', 'approver');
    const max = await newAdmin('max', '--role', 'approver');
    const body = fresh();
    const id = await hold('/two/1', body);
    await approvals(['approve', id], eve);
    await postern(gateway, ['admins', 'revoke', 'eve']);
    expect((await approvals(['approve', id], eve)).code).toBe(1);
    expect((await approvals(['approve', id], max)).out).toContain('1 more person must approve');
    expect((await approvals(['show', id])).out).toMatch(/^Yes +eve .*does not count$/m);
    expect((await send('/two/1', body)).status).toBe(428);
    expect((await approvals(['approve', id])).out).toMatch(/^Approved\./);
    expect((await send('/two/1', body)).text).toBe('made');
  });
});

test('a standing grant lets other bodies pass until it is taken back', async () => {
  const id = await hold('/pay/standing', fresh());
  expect((await approvals(['approve', id, '--grant', 'rule'])).out).toMatch(/All POST requests of agent coder to /);
  expect((await send('/pay/standing?y=2', fresh())).text).toBe('made');
  expect((await send('/pay/elsewhere', fresh())).status).toBe(428);
  const { items } = (await postern(gateway, ['grants', 'list', '--usable', '--json'])).json();
  const [grant] = items.filter(({ approvalId }: { approvalId: string }) => approvalId === id);
  expect(grant).toMatchObject({ kind: 'rule', scope: { method: 'POST', path: '/pay/standing' } });
  expect((await postern(gateway, ['grants', 'list'])).out).toMatch(
    new RegExp(`^${grant.id} +usable +coder +rule `, 'm'),
  );
  expect(await postern(gateway, ['grants', 'revoke', grant.id, '--reason', 'done'])).toMatchObject({
    code: 0,
    out: `Revoked grant ${grant.id} of agent coder.\n`,
  });
  expect((await send('/pay/standing?y=3', fresh())).status).toBe(428);
  expect((await postern(gateway, ['grants', 'show', grant.id])).out).toContain('state: revoked\n');
});

test('what is wider than the rule or the tenant allows is refused, and nothing is approved', async () => {
  const body = fresh();
  const id = await hold('/pay/caps', body);
  const refusals = [
    ['times:101', 'grant.times: the tenant allows at most 100'],
    ['until:8d', 'grant.until: the tenant allows at most 604800 seconds'],
  ] as const;
  for (const [grant, words] of refusals) {
    const { code, notes } = await approvals(['approve', id, '--grant', grant]);
    expect({ code, notes }).toEqual({ code: 1, notes: expect.stringContaining(words) });
  }
  const narrow = await hold('/two/caps', body);
  expect((await approvals(['approve', narrow, '--grant', 'times:2'])).notes).toContain(
    'the rule allows at most "once"',
  );
  expect((await send('/pay/caps', body)).status).toBe(428);
});

test('another tenant finds nothing', async () => {
  await postern(gateway, ['tenants', 'create', 'acme']);
  const foreign = await newAdmin('foreign', '--role', 'admin', '--tenant', 'acme');
  const id = await hold('/pay/foreign', fresh());
  for (const args of [
    ['show', id],
    ['approve', id],
    ['deny', id, '--reason', 'x'],
  ]) {
    expect(await approvals(args, foreign)).toMatchObject({
      code: 1,
      notes: expect.stringContaining('No such approval'),
    });
  }
  expect((await approvals(['list', '--json'], foreign)).json().items).toEqual([]);
  expect((await control(gateway, 'GET', `/v1/approvals/${id}`, { token: foreign })).problem()).toMatchObject({
    status: 404,
    code: 'unknown_approval',
  });
});

test('a call whose outcome is unknown is listed, and resolved by an operator', async () => {
  const otto = await newAdmin('otto', '--role', 'operator');
  const keyed = { headers: { 'idempotency-key': 'order-7' } };
  const body = fresh();
  const id = await hold('/pay/lost', body, keyed);
  await approvals(['approve', id]);
  upstream.answerWith((_request, response) => void response.destroy());
  expect((await send('/pay/lost', body, keyed)).problem().code).toBe('upstream_reset');
  upstream.answerWith((_request, response) => void response.end('made'));
  const claims = (args: readonly string[], token?: string) => postern(gateway, ['claims', ...args], '', token);
  const [claim] = await vi.waitFor(async () => {
    const { items } = (await claims(['list', '--state', 'unknown', '--json'], otto)).json();
    expect(items).toHaveLength(1);
    return items;
  });
  expect(claim).toMatchObject({ key: 'order-7', state: 'unknown', approvalId: id, dispatches: 1 });
  expect((await claims(['list'])).out).toMatch(new RegExp(`^${claim.id} +unknown +coder +bank +order-7 +1 `, 'm'));
  expect((await send('/pay/lost', body, keyed)).problem().code).toBe('outcome_unknown');
  const resolved = await claims(['resolve', claim.id, '--outcome', 'done', '--note', 'the bank has it'], otto);
  expect(resolved).toMatchObject({
    code: 0,
    out: 'Key order-7 of agent coder: it took effect, and is not sent again.\n',
  });
  expect((await claims(['resolve', claim.id, '--outcome', 'retry', '--note', 'x'], otto)).code).toBe(1);
  expect((await claims(['show', claim.id], otto)).out).toContain('note: the bank has it\n');
  expect((await send('/pay/lost', body, keyed)).problem().code).toBe('replay_unavailable');
});

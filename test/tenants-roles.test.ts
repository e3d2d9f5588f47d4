import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { control } from './support/audit-log.ts';
import { nameOf, type Operation, pathsOf, readOperations } from './support/control-routes.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const TENANT = 'beta';

type Role = 'owner' | 'admin' | 'approver' | 'auditor' | 'operator';
const ROLES = ['owner', 'admin', 'approver', 'auditor', 'operator'] as const;

/** Specification section 7, as what each role may ask for. */
const MAY: Readonly<Record<Role, readonly Right[]>> = {
  owner: ['instance', 'write', 'read', 'export', 'approvals', 'decide', 'resolve'],
  admin: ['write', 'read', 'export', 'approvals', 'decide', 'resolve'],
  approver: ['approvals', 'decide'],
  auditor: ['read', 'export', 'approvals'],
  operator: ['read', 'approvals', 'resolve'],
};
type Right = 'instance' | 'write' | 'read' | 'export' | 'approvals' | 'decide' | 'resolve';

/** The first that fits. Whatever is new and changes something is for those who may change everything, until somebody says otherwise. */
const RIGHTS: readonly (readonly [RegExp, Right])[] = [
  [/ \/v1\/(?:tenants|admins|nodes)(?:\/|$)/, 'instance'],
  [/^POST \/v1\/approvals\//, 'decide'],
  [/^(?:POST|DELETE) \/v1\/grants\//, 'decide'],
  [/^GET \/v1\/(?:approvals|grants|events)(?:\/|$)/, 'approvals'],
  [/^POST \/v1\/claims\//, 'resolve'],
  [/^GET \/v1\/export$/, 'export'],
  // What is replayed is what was recorded.
  [/^POST \/v1\/policies\/(?:\{id\}\/)?simulate$/, 'export'],
  // Says what a policy that is sent along would do; nothing is stored.
  [/^POST \/v1\/policies\/test$/, 'read'],
  [/^GET /, 'read'],
  [/^/, 'write'],
];

function rightFor(operation: Operation): Right {
  const name = nameOf(operation);
  const found = RIGHTS.find(([pattern]) => pattern.test(name));
  if (found === undefined) throw new Error(`${name}: nobody says who may do that`);
  return found[1];
}

let gateway: RunningGateway;
let operations: readonly Operation[];
const tokens = new Map<Role, string>();

beforeAll(async () => {
  gateway = await startGateway();
  await control(gateway, 'POST', '/v1/tenants', { body: { name: TENANT } });
  for (const role of ROLES) {
    const body = { name: `${role}-one`, role, ...(role === 'owner' ? {} : { tenant: TENANT }) };
    tokens.set(role, (await control(gateway, 'POST', '/v1/admins', { body })).json().token);
  }
  operations = await readOperations(gateway);
});

afterAll(() => gateway?.close());

/** The status of a request about what is not there, with no body: whoever may do it is told that, and nothing comes of it. */
async function statusOf(operation: Operation, as: { token?: string; tenant?: string }): Promise<number> {
  const nothing = { id: ['nothing'], name: ['nothing'], keyId: ['nothing'], version: ['1'] };
  const [path] = pathsOf(operation, nothing) as [string];
  if (path !== '/v1/events') {
    const answer = await control(gateway, operation.method, path, as);
    if (answer.status === 403) expect(answer.problem().code).toBe('forbidden');
    return answer.status;
  }
  // It would never end.
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${as.token}`, 'postern-tenant': as.tenant ?? 'default' };
  const { status } = await fetch(gateway.adminUrl + path, { headers, signal: leaving.signal });
  leaving.abort();
  return status;
}

test.each(ROLES)('the role %s may do what it may, and is refused all else with 403', async (role) => {
  const table: string[] = [];
  const wanted: string[] = [];
  for (const operation of operations) {
    const status = await statusOf(operation, { token: tokens.get(role) ?? '', tenant: TENANT });
    expect(status).not.toBe(401);
    expect(status).toBeLessThan(500);
    table.push(`${nameOf(operation)}: ${status === 403 ? 'refused' : 'permitted'}`);
    wanted.push(`${nameOf(operation)}: ${MAY[role].includes(rightFor(operation)) ? 'permitted' : 'refused'}`);
  }
  expect(table).toEqual(wanted);
});

test('without a token nothing is permitted, and an agent’s key is none', async () => {
  for (const operation of operations) expect(await statusOf(operation, { token: 'nobody' })).not.toBe(200);
  const agent = await control(gateway, 'POST', '/v1/agents', { body: { name: 'caller' } });
  expect(agent.status).toBe(201);
  const { key } = (await control(gateway, 'POST', '/v1/agents/caller/keys', { body: {} })).json();
  // Ten failures a minute, and the control plane makes an address wait.
  for (const operation of operations.slice(0, 3))
    expect([401, 429]).toContain(await statusOf(operation, { token: key }));
});

test.each(ROLES.filter((role) => role !== 'owner'))('the role %s of a tenant is held in no other', async (role) => {
  for (const operation of operations) {
    const status = await statusOf(operation, { token: tokens.get(role) ?? '', tenant: 'default' });
    expect(`${nameOf(operation)} ${status}`).toBe(`${nameOf(operation)} 404`);
  }
});

describe('who is an owner of the whole instance', () => {
  test('is nobody’s administrator in particular: that role is held in no tenant', async () => {
    const body = { name: 'tenant-owner', role: 'owner', tenant: TENANT };
    expect((await control(gateway, 'POST', '/v1/admins', { body })).problem()).toMatchObject({ status: 422 });
  });

  test('is not made by anybody else', async () => {
    for (const role of ROLES.filter((each) => each !== 'owner')) {
      const body = { name: 'climber', role: 'owner' };
      const answer = await control(gateway, 'POST', '/v1/admins', { body, token: tokens.get(role) ?? '' });
      expect(answer.problem()).toMatchObject({ status: 403, code: 'forbidden' });
    }
  });
});

import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { nameOf, type Operation, pathsOf, readOperations } from './support/control-routes.ts';
import { readDatabase } from './support/database.ts';
import { type Answer, call } from './support/http-client.ts';
import { LOOPBACK } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';
import { makeTenantThings, type TenantThings } from './support/tenant-things.ts';

const ALPHA = 'alpha-zz';
const BETA = 'beta-zz';

let upstream: Upstream;
let sink: Upstream;
let gateway: RunningGateway;
let alpha: TenantThings;
let beta: TenantThings;
let operations: readonly Operation[];
/** Of the administrators of each. */
const tokens = { alpha: '', beta: '' };

beforeAll(async () => {
  [upstream, sink] = await Promise.all([startUpstream(), startUpstream()]);
  gateway = await startGateway({
    environment: { POSTERN_UNSAFE_ALLOW_ADDRESSES: LOOPBACK.unsafeAllowAddresses.join() },
  });
  alpha = await makeTenantThings(gateway, ALPHA, { upstream, sink });
  beta = await makeTenantThings(gateway, BETA, { upstream, sink });
  const adminOf = async (tenant: string) => {
    const body = { name: `admin-of-${tenant}`, role: 'admin', tenant };
    return (await control(gateway, 'POST', '/v1/admins', { body })).json().token as string;
  };
  tokens.alpha = await adminOf(ALPHA);
  tokens.beta = await adminOf(BETA);
  operations = await readOperations(gateway);
}, 60_000);

afterAll(async () => {
  await gateway?.close();
  await Promise.all([upstream?.close(), sink?.close()]);
});

/** Who may be no nearer to the things of the tenant alpha than anybody. */
const STRANGERS = (): readonly (readonly [string, { token?: string; tenant?: string }])[] => [
  ['an administrator of beta', { token: tokens.beta }],
  ['an administrator of beta who says so', { token: tokens.beta, tenant: BETA }],
  ['the owner of the instance, who speaks of beta', { tenant: BETA }],
];

/** Of the whole instance, by their names: for its owners alone, whatever tenant they speak of. */
const OF_THE_INSTANCE = /^\/v1\/(?:tenants|admins|nodes)(?:\/|$)/;
/** What makes a thing of that name in the caller's own tenant when there is none. */
const MAKES_ONE = new Set(['PUT /v1/secrets/{name}']);

const BODIES: Readonly<Record<string, unknown>> = {
  'PUT /v1/agents/{id}': { trust: 'low' },
  'PATCH /v1/agents/{id}': { disabled: true },
  'POST /v1/agents/{id}/keys': {},
  'PUT /v1/integrations/{id}': { baseUrl: 'https://api.example.com' },
  'PATCH /v1/integrations/{id}': { disabled: true },
  'PUT /v1/secrets/{name}': { value: 'a value of a stranger' },
  'PUT /v1/rules/{id}': { effect: 'deny' },
  'POST /v1/policies/{id}/activate': {},
  'POST /v1/policies/{id}/rollback': {},
  'POST /v1/approvals/{id}/approve': {},
  'POST /v1/approvals/{id}/deny': { reason: 'a stranger says no' },
  'POST /v1/grants/{id}/revoke': {},
  'POST /v1/claims/{id}/resolve': { outcome: 'done', note: 'a stranger says so' },
};

function bodyOf(operation: Operation): { body?: unknown } {
  if (!operation.hasBody) return {};
  const name = nameOf(operation);
  if (!Object.hasOwn(BODIES, name)) throw new Error(`${name}: nobody says what body it takes`);
  return { body: BODIES[name] };
}

/** The paths of the operation with alpha's ids and names in them. */
function alphasPaths(operation: Operation): readonly string[] {
  const kinds = Object.keys(alpha.values).filter((prefix) => `${operation.path}/`.startsWith(`${prefix}/`));
  const [kind] = kinds.sort((left, right) => right.length - left.length);
  if (kind === undefined) throw new Error(`${nameOf(operation)}: nobody says how to make what it is about`);
  return pathsOf(operation, alpha.values[kind] ?? {});
}

const perObject = () =>
  operations.filter(({ parameters, path }) => parameters.length > 0 && !OF_THE_INSTANCE.test(path));

/** Written by the gateway itself, in its own time: when something was used last, and that its nodes were told of a template. */
const USED = { last_used_at: null };
const IN_ITS_OWN_TIME: Readonly<Record<string, object>> = {
  template_invalidations: { ...USED, attempts: null, next_attempt_at: null, delivered_at: null },
};

/** All that is stored of a tenant, but for that. */
function storedOf(tenant: string): Map<string, string> {
  const tables = readDatabase<{ name: string }>(
    gateway.dataFolder,
    `select m.name from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' and c.name = 'tenant'
      and m.name not in ('agent_hosts')`,
  );
  expect(tables.length).toBeGreaterThan(15);
  const entries = readDatabase(
    gateway.dataFolder,
    `select e.seq from audit_entries e join audit_logs l on l.log = e.log where l.tenant = '${tenant}'`,
  );
  const stored = tables.map(({ name }): [string, string] => {
    const rows = readDatabase<object>(gateway.dataFolder, `select * from ${name} where tenant = '${tenant}'`);
    return [name, JSON.stringify(rows.map((row) => ({ ...row, ...(IN_ITS_OWN_TIME[name] ?? USED) })))];
  });
  return new Map([...stored, ['entries', String(entries.length)]]);
}

const stored = () => ({ alpha: storedOf(ALPHA), requests: upstream.requests.length });

describe('the control plane (acceptance vector 12)', () => {
  test('lists hold nothing of another tenant, whoever asks and however', async () => {
    const lists = operations.filter(
      ({ method, parameters, path }) => method === 'GET' && parameters.length === 0 && path !== '/v1/events',
    );
    expect(lists.length).toBeGreaterThan(12);
    for (const { path } of lists) {
      for (const [who, as] of STRANGERS()) {
        // Owners of the instance see every tenant, administrator and node.
        if (OF_THE_INSTANCE.test(`${path}/`)) continue;
        for (const query of ['', `?limit=100&agent=${ALPHA}-agent&requestId=${alpha.requestId}`]) {
          const answer = await control(gateway, 'GET', `${path}${query}`, as);
          if (query === '') expect(`${path} as ${who}: ${answer.status}`).toBe(`${path} as ${who}: 200`);
          expect(answer.text).not.toContain(query === '' ? ALPHA : `"${ALPHA}`);
          for (const value of alpha.told) expect(answer.text).not.toContain(value);
        }
      }
    }
    const own = await control(gateway, 'GET', '/v1/agents', { token: tokens.alpha });
    expect(own.text).toContain(`${ALPHA}-agent`);
  });

  test('what needs no token tells no tenant’s name', async () => {
    for (const path of ['/metrics', '/healthz', '/readyz', '/openapi.json']) {
      const answer = await call(gateway.adminUrl, path);
      expect(answer.status).toBe(200);
      // The names of integrations stand in metrics; the names of tenants do not.
      for (const tenant of [ALPHA, BETA]) expect(answer.text).not.toMatch(new RegExp(`${tenant}(?!-api)`));
    }
  });

  test('every route answers 404 to another tenant’s ids and names, as to those of nothing, and changes nothing', async () => {
    const before = stored();
    let asked = 0;
    for (const operation of perObject()) {
      if (MAKES_ONE.has(nameOf(operation))) continue;
      const unknown = pathsOf(operation, NOTHING)[0] as string;
      for (const path of alphasPaths(operation)) {
        for (const [who, as] of STRANGERS()) {
          const answer = await control(gateway, operation.method, path, { ...as, ...bodyOf(operation) });
          const about = `${operation.method} ${path} as ${who}: ${answer.status}`;
          expect(about).toBe(`${operation.method} ${path} as ${who}: 404`);
          const { requestId: _id, ...told } = answer.problem();
          expect(told.code).toBe(/^\/v1\/approvals\//.test(path) ? 'unknown_approval' : 'not_found');
          const other = await control(gateway, operation.method, unknown, { ...as, ...bodyOf(operation) });
          const { requestId: _other, ...toldOfNothing } = other.problem();
          expect({ ...told, about }).toEqual({ ...toldOfNothing, about });
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(100);
    expect(stored()).toEqual(before);
  }, 60_000);

  test('a write that makes what is not there makes it in the caller’s own tenant', async () => {
    const before = stored();
    const makers = perObject().filter((operation) => MAKES_ONE.has(nameOf(operation)));
    expect(makers).toHaveLength(MAKES_ONE.size);
    for (const operation of makers) {
      for (const path of alphasPaths(operation)) {
        const as = { token: tokens.beta, ...bodyOf(operation) };
        expect((await control(gateway, operation.method, path, as)).status).toBe(201);
        expect((await control(gateway, 'DELETE', path, { token: tokens.beta })).status).not.toBe(500);
      }
    }
    expect(stored()).toEqual(before);
  });

  test('a token of one tenant that names another gets 404 on every route', async () => {
    const before = stored().requests;
    for (const operation of operations) {
      const path = OF_THE_INSTANCE.test(operation.path)
        ? pathsOf(operation, { name: [ALPHA], id: [`admin-of-${ALPHA}`] })[0]
        : operation.parameters.length === 0
          ? operation.path
          : alphasPaths(operation)[0];
      const answer = await control(gateway, operation.method, path as string, { token: tokens.beta, tenant: ALPHA });
      expect(`${nameOf(operation)} ${answer.status}`).toBe(`${nameOf(operation)} 404`);
      expect(answer.problem()).toMatchObject({ code: 'not_found', detail: 'There is no such tenant.' });
    }
    expect(stored().requests).toBe(before);
  });

  test('what is for owners of the instance is no tenant’s administrator’s, whosever it is', async () => {
    for (const operation of operations.filter(({ path }) => OF_THE_INSTANCE.test(path))) {
      for (const tenant of [ALPHA, BETA]) {
        const [path] = pathsOf(operation, { name: [tenant], id: [`admin-of-${tenant}`] });
        const answer = await control(gateway, operation.method, path as string, { token: tokens.beta });
        expect(`${nameOf(operation)} ${answer.status}`).toBe(`${nameOf(operation)} 403`);
      }
    }
  });

  test('a comparison of versions and a document reach no other tenant’s things', async () => {
    const own = beta.values['/v1/policies/{id}']?.['id']?.[0];
    const foreign = alpha.values['/v1/policies/{id}']?.['id']?.[0];
    const diff = await control(gateway, 'GET', `/v1/policies/${own}/diff?against=${foreign}`, { token: tokens.beta });
    expect(diff.problem()).toMatchObject({ status: 404, code: 'not_found' });
    const template = await control(gateway, 'POST', '/v1/integrations', {
      token: tokens.beta,
      body: { name: 'templated', template: `${ALPHA}-template@1`, baseUrl: 'https://api.acme.example' },
    });
    expect(template.problem()).toMatchObject({ status: 422 });
    const cursor = (await control(gateway, 'GET', '/v1/audit/events?limit=1', { token: tokens.alpha })).json()
      .nextCursor;
    const page = await control(gateway, 'GET', `/v1/audit/events?limit=100&cursor=${cursor}`, { token: tokens.beta });
    if (page.status === 200) {
      for (const { tenant } of page.json().items) expect(tenant).toBe(BETA);
    }
  });

  test('live events reach those of their tenant alone', async () => {
    const streams = [{ token: tokens.beta }, { token: gateway.adminToken, tenant: BETA }];
    const watched = await Promise.all(streams.map((as) => watch(as)));
    const rule = (tenant: string, id: string) =>
      control(gateway, 'POST', '/v1/rules', { tenant, body: { id, effect: 'deny', paths: [`/${id}`] } });
    expect((await rule(ALPHA, `${ALPHA}-live`)).status).toBe(201);
    expect((await rule(BETA, `${BETA}-live`)).status).toBe(201);
    for (const { until, close } of watched) {
      expect(await until(`${BETA}-live`)).not.toContain(ALPHA);
      close();
    }
  });
});

/** What stands in place of parameters where nothing is. */
const NOTHING = { id: ['nothing-of-that-name'], name: ['nothing-of-that-name'], keyId: ['nothing000'], version: ['1'] };

interface Watch {
  /** Resolves with all that came once it holds `text`. */
  until(text: string): Promise<string>;
  close(): void;
}

async function watch({ token, tenant }: { readonly token: string; readonly tenant?: string }): Promise<Watch> {
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${token}`, ...(tenant === undefined ? {} : { 'postern-tenant': tenant }) };
  const response = await fetch(`${gateway.adminUrl}/v1/events`, { headers, signal: leaving.signal });
  expect(response.status).toBe(200);
  let text = '';
  void (async () => {
    for await (const bytes of response.body ?? []) text += Buffer.from(bytes).toString('utf8');
  })().catch(() => undefined);
  return {
    until: (expected) =>
      vi.waitFor(() => {
        if (!text.includes(expected)) throw new Error(`so far came ${text}`);
        return text;
      }, 5_000),
    close: () => leaving.abort(),
  };
}

describe('the data plane (acceptance vector 12)', () => {
  const as = (
    key: string,
    method: string,
    path: string,
    headers: Record<string, string> = {},
    base = gateway.dataUrl,
  ) => call(base, path, { method, headers: { 'postern-key': key, ...headers } });
  const asBeta = (method: string, path: string, headers: Record<string, string> = {}) =>
    as(beta.agentKey, method, path, headers);
  const expectUnknown = (answer: Answer, nothing: Answer, code: string) => {
    const { requestId: _id, ...told } = answer.problem();
    const { requestId: _other, ...toldOfNothing } = nothing.problem();
    expect(told).toMatchObject({ status: 404, code });
    expect(told).toEqual(toldOfNothing);
  };

  test('another tenant’s integration is not there, by name, host, own address or document', async () => {
    const before = upstream.requests.length;
    const nothing = await asBeta('GET', '/to/nothing/x');
    expectUnknown(await asBeta('GET', `/to/${ALPHA}-api/x`), nothing, 'unknown_integration');
    const host = (name: string) => asBeta('GET', '/x', { host: `${name}.to.localhost` });
    expectUnknown(await host(`${ALPHA}-api`), await host('nothing'), 'unknown_integration');
    expectUnknown(await as(beta.agentKey, 'GET', '/x', {}, alpha.ownAddress), nothing, 'unknown_integration');
    expect((await as(alpha.agentKey, 'GET', '/x', {}, alpha.ownAddress)).status).toBe(200);
    for (const path of ['/v1/execute', '/v1/explain']) {
      const ask = (integration: string) =>
        call(gateway.dataUrl, path, {
          headers: { 'postern-key': beta.agentKey, 'content-type': 'application/json' },
          body: JSON.stringify({ integration, request: { method: 'GET', path: '/x' } }),
        });
      expectUnknown(await ask(`${ALPHA}-api`), await ask('nothing'), 'unknown_integration');
    }
    expect(upstream.requests.length).toBe(before + 1);
    const listed = await asBeta('GET', '/v1/integrations');
    expect(listed.text).toContain(`${BETA}-api`);
    expect(listed.text).not.toContain(ALPHA);
  });

  test('another tenant’s approvals and queued calls are not there', async () => {
    // Entries of alpha's own calls ride behind their answers.
    const things = () => storedOf(ALPHA).set('entries', '');
    const before = things();
    for (const id of alpha.values['/v1/approvals/{id}']?.['id'] ?? []) {
      const [pathOf, executeOf] = [
        (it: string) => `/v1/approvals/${it}`,
        (it: string) => `/v1/approvals/${it}/execute`,
      ];
      for (const method of ['GET', 'DELETE']) {
        expectUnknown(await asBeta(method, pathOf(id)), await asBeta(method, pathOf('nothing')), 'unknown_approval');
      }
      expectUnknown(
        await asBeta('POST', executeOf(id)),
        await asBeta('POST', executeOf('nothing')),
        'unknown_approval',
      );
    }
    for (const id of alpha.values['/v1/approvals/{id}']?.['id'] ?? []) {
      expect((await as(alpha.agentKey, 'GET', `/v1/approvals/${id}`)).status).toBe(200);
    }
    expect((await as(alpha.agentKey, 'GET', `/v1/calls/${alpha.queuedCall}`)).status).toBe(200);
    for (const method of ['GET', 'DELETE']) {
      const nothing = await asBeta(method, '/v1/calls/nothing');
      expectUnknown(await asBeta(method, `/v1/calls/${alpha.queuedCall}`), nothing, 'not_found');
    }
    expect(things()).toEqual(before);
    const { text } = await control(gateway, 'GET', '/v1/audit/events?limit=100', { token: tokens.alpha });
    expect(text).not.toContain(BETA);
  });

  test('an idempotency key is another call’s in another tenant', async () => {
    const again = await asBeta('POST', `/to/${BETA}-api/other`, { 'idempotency-key': `${ALPHA}-key` });
    expect(again.status).toBe(200);
    expect(again.headers['postern-idempotency']).toBe('stored');
  });

  test('each tenant’s secret goes with its own calls', async () => {
    await asBeta('GET', `/to/${BETA}-api/secret`);
    expect(upstream.requests.at(-1)?.headers['authorization']).toBe(`Bearer ${BETA}-second-value`);
    const { items } = (await control(gateway, 'GET', '/v1/audit/events?limit=100', { tenant: BETA })).json();
    for (const entry of items) expect(entry.tenant).toBe(BETA);
    expect(await auditEvents(gateway, { agent: `${BETA}-agent` })).toEqual([]);
  });
});

describe('what another tenant does not find', () => {
  test('to their own administrators all of these are there', async () => {
    // Last, for it changes and removes them.
    const order = ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'];
    const sorted = [...perObject()].sort(
      (left, right) => order.indexOf(left.method) - order.indexOf(right.method) || right.path.length - left.path.length,
    );
    for (const operation of sorted) {
      const [path] = alphasPaths(operation);
      const answer = await control(gateway, operation.method, path as string, {
        token: tokens.alpha,
        ...bodyOf(operation),
      });
      expect(`${nameOf(operation)} ${answer.status === 404}`).toBe(`${nameOf(operation)} false`);
      if (operation.method === 'GET') expect(`${nameOf(operation)} ${answer.status}`).toBe(`${nameOf(operation)} 200`);
    }
  });
});

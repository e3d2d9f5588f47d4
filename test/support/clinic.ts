import { generateAgentKey } from '@postern/auth';
import { type DnsServer, startDnsServer, startUpstream, type Upstream } from '@postern/testing';
import { expect } from 'vitest';
import { control } from './audit-log.ts';
import { type Diagnosis, doctor } from './doctor.ts';
import { LOOPBACK } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

/** A gateway whose tenants have one mistake each, for the doctor to find. */
export interface Clinic extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly upstream: Upstream;
  readonly dns: DnsServer;
  /** A document without a mistake, for one tenant of its own; `change` makes one. */
  soundDocument(change?: object): Record<string, unknown>;
  soundIntegration(change?: object): object;
  /** A tenant that the document was applied to. */
  newTenant(document: Record<string, unknown>): Promise<string>;
  /** `postern doctor` for the tenant, with the resolver of the gateway. */
  ask(tenant: string, args?: readonly string[]): Promise<Diagnosis>;
}

export async function startClinic(): Promise<Clinic> {
  const upstream = await startUpstream({ handler: (_request, response) => void response.end('fine') });
  const dns = await startDnsServer({ 'private.test': { A: ['10.1.2.3'] } });
  const environment = { POSTERN_DNS_SERVERS: dns.address };
  const gateway = await startGateway({
    environment: { ...environment, POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' },
  });
  let tenants = 0;
  const soundIntegration = (change: object = {}) => {
    const credential = { type: 'bearer', secret: 'token' };
    return { name: 'api', baseUrl: upstream.url, network: LOOPBACK, credential, ...change };
  };
  return {
    gateway,
    upstream,
    dns,
    soundIntegration,
    soundDocument: (change = {}) => ({
      version: 1,
      secrets: { token: { value: 'sealed-0123456789' } },
      integrations: [soundIntegration()],
      agents: [{ name: 'coder', owner: 'alice', environment: 'dev', key: generateAgentKey().key }],
      rules: [{ id: 'reads', effect: 'allow', agents: ['coder'], integrations: ['api'] }],
      ...change,
    }),
    newTenant: async (document) => {
      tenants += 1;
      const tenant = `t${tenants}`;
      const made = await control(gateway, 'POST', '/v1/tenants', { body: { name: tenant } });
      expect(made.status).toBe(201);
      const applied = await control(gateway, 'POST', '/v1/apply', { tenant, body: { ...document, tenant } });
      expect(applied.text).toContain('"changes"');
      return tenant;
    },
    ask: (tenant, args = []) => doctor(gateway.dataFolder, ['--tenant', tenant, ...args], { environment }),
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await dns.close();
      await upstream.close();
    },
  };
}

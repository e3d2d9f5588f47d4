import { generateAgentKey } from '@postern/auth';

/** Members of an integration that let it reach an upstream of the test, which lies on loopback and speaks http. */
export const LOOPBACK = { unsafeAllowAddresses: ['127.0.0.1/32'], unsafeAllowCleartextCredentials: true };

/** Opens everything to every agent: for tests that are about something else than policy. */
export const ALLOW_ALL = { id: 'all', effect: 'allow' };

/** Thresholds that only the highest score reaches: for tests that are about something else than risk. */
export const HARDLY_RISKY = { review: 1, deny: 1 };

export interface Agent {
  readonly name: string;
  readonly key: string;
  readonly publicId: string;
}

export function newAgent(name: string): Agent {
  return { name, ...generateAgentKey() };
}

/** `postern.yaml` with agents that may call every one of the integrations. */
export function configOf(agents: readonly Agent[], integrations: readonly object[], more: object = {}): object {
  return {
    version: 1,
    integrations,
    agents: agents.map(({ name, key }) => ({ name, key })),
    rules: [ALLOW_ALL],
    risk: HARDLY_RISKY,
    ...more,
  };
}

/** An integration called `name` on a base URL of the test. */
export function integration(name: string, baseUrl: string, more: object = {}): object {
  return { name, baseUrl, network: LOOPBACK, ...more };
}

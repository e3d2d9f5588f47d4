import { CALL_PATH, type Surroundings, type Variant } from './variant.ts';

/** No forwarder: what upstream and load generator can do. The process measured is the upstream itself. */
export function direct({ upstream }: Surroundings): Variant {
  const { port, processId, secret } = upstream;
  return { name: 'direct', port, path: CALL_PATH, tokens: [secret], processId };
}

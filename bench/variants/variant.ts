import { join } from 'node:path';
import type { IdempotencyKey } from '../load/order.ts';
import type { Program, Workplace } from '../workplace.ts';

/** One way from the client to the upstream, up and running. */
export interface Variant {
  readonly name: VariantName;
  readonly port: number;
  /** Path of the call, as the client sends it. */
  readonly path: string;
  /** What clients send as bearer token. */
  readonly tokens: readonly string[];
  /** What calls are sent with; default: none. */
  readonly idempotencyKey?: IdempotencyKey;
  /** The process that is measured. */
  readonly processId: number;
  /** Servers that work for it alone, measured apart. */
  readonly serverIds?: readonly number[];
}

/** In the order of the tables. */
export const VARIANT_NAMES = [
  'direct',
  'nginx',
  'fastify-http-proxy',
  'bare-forwarder',
  'recording-forwarder',
  'postern',
] as const;
export type VariantName = (typeof VARIANT_NAMES)[number];

/** What a variant is started with. */
export interface Surroundings {
  readonly workplace: Workplace;
  readonly upstream: { readonly port: number; readonly processId: number; readonly secret: string };
}

export const CALL_PATH = '/v1/chat/completions';

/** For clients of variants that look at no key: as long as an agent key, so that all read equally many bytes. */
export const ANY_TOKEN = 'x'.repeat(64);

/** Every start but the first finds its modules compiled, and takes less memory: so that is what is measured, of all programs alike. */
export async function fillCompileCache(workplace: Workplace, program: Program): Promise<void> {
  const { stop } = await workplace.start(program);
  await stop();
}

/** Starts one of the benchmark's own servers (a file beside this one) in front of the upstream. */
export async function startServer({ workplace, upstream }: Surroundings, name: VariantName): Promise<Variant> {
  const program: Program = {
    name,
    command: process.execPath,
    arguments: [new URL(`./${name}-server.ts`, import.meta.url).pathname],
    environment: {
      UPSTREAM_PORT: String(upstream.port),
      UPSTREAM_SECRET: upstream.secret,
      DATABASE_FILE: join(workplace.folder, `${name}.db`),
    },
    ready: /^ready port=(\d+)$/,
  };
  await fillCompileCache(workplace, program);
  const { processId, ready } = await workplace.start(program);
  return { name, port: Number(ready[1]), path: CALL_PATH, tokens: [ANY_TOKEN], processId };
}

import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startUpstream, type Upstream } from '@postern/testing';
import { FAILPOINT_FILE, FAILPOINT_PLACES } from './failpoint-places.ts';
import { configOf, integration, newAgent } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

const PRELOAD = fileURLToPath(new URL('failpoints.ts', import.meta.url));

/** Steps that only the upstream sees: it kills the gateway itself. */
const UPSTREAM_STEPS = [
  'after the first byte came to the upstream',
  'after half of the answer',
  'after the upstream’s last byte',
] as const;
type UpstreamStep = (typeof UPSTREAM_STEPS)[number];

/** Every step at which a gateway can be killed. */
export const KILL_STEPS: readonly string[] = [...Object.keys(FAILPOINT_PLACES), ...UPSTREAM_STEPS];

/** Of no agent may more than twenty approvals be opened in a minute. */
const AGENTS = 60;

/** A gateway that can be killed at each step, started again on what it left, and the upstream that counts what it is sent. */
export interface KilledGateway extends AsyncDisposable {
  readonly agents: readonly { readonly name: string; readonly key: string }[];
  readonly dataFolder: string;
  readonly current: RunningGateway;
  /** How many requests the upstream has got of a call. */
  sentOf(call: string): number;
  /** From now on the `nth` time that a step is reached is the gateway's last. */
  arm(step: string, nth: number): Promise<void>;
  /** Starts again on the same data, with nothing armed. */
  restart(): Promise<void>;
}

/** What the upstream answers to a call, always. */
export function answerOf(call: string): string {
  return `done ${call} `.repeat(20);
}

export async function startKilledGateway(folder: string): Promise<KilledGateway> {
  const counts = new Map<string, number>();
  const dataFolder = path.join(folder, 'data');
  const file = path.join(folder, 'failpoint.json');
  const agents = Array.from({ length: AGENTS }, (_, place) => newAgent(`agent-${place}`));
  let armed: { step: UpstreamStep; left: number } | undefined;
  let current: RunningGateway;

  const killAt = (step: UpstreamStep) => {
    if (armed?.step !== step) return;
    armed.left -= 1;
    if (armed.left === 0) current.process.kill('SIGKILL');
  };
  const upstream = await startUpstream({
    answerAt: 'head',
    handler: async (request, response) => {
      const call = new URL(request.url, 'http://upstream').pathname.slice(1);
      counts.set(call, (counts.get(call) ?? 0) + 1);
      killAt('after the first byte came to the upstream');
      await request.ended;
      const answer = answerOf(call);
      response.writeHead(201, { 'content-type': 'text/plain', 'content-length': answer.length });
      response.write(answer.slice(0, answer.length / 2));
      killAt('after half of the answer');
      // In a packet of its own.
      await new Promise((resolve) => setTimeout(resolve, 2));
      response.end(answer.slice(answer.length / 2), () => killAt('after the upstream’s last byte'));
    },
  });
  const start = () =>
    startGateway({
      config: configFor(agents, upstream),
      dataFolder,
      environment: {
        NODE_OPTIONS: `--import=${PRELOAD}`,
        NODE_DISABLE_COMPILE_CACHE: '1',
        POSTERN_LOG_LEVEL: 'error',
        [FAILPOINT_FILE]: file,
      },
    });
  current = await start();
  return {
    agents,
    dataFolder,
    get current() {
      return current;
    },
    sentOf: (call) => counts.get(call) ?? 0,
    async arm(step, nth) {
      if ((UPSTREAM_STEPS as readonly string[]).includes(step)) armed = { step: step as UpstreamStep, left: nth };
      else await writeFile(file, JSON.stringify([step, nth]));
    },
    async restart() {
      armed = undefined;
      await rm(file, { force: true });
      await current.close();
      current = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await current.close();
      await upstream.close();
    },
  };
}

/** One integration whose calls pass, and one whose calls a person must approve. */
function configFor(agents: readonly ReturnType<typeof newAgent>[], upstream: Upstream): object {
  const once = { retry: { attempts: 1 } };
  return configOf(agents, [integration('open', upstream.url, once), integration('asked', upstream.url, once)], {
    rules: [
      { id: 'open', effect: 'allow', integrations: ['open'] },
      {
        id: 'asked',
        effect: 'require_approval',
        integrations: ['asked'],
        approval: { approvers: 1, groups: [], pendingSeconds: 3600, executeSeconds: 3600, grant: 'once' },
      },
    ],
  });
}

import { LOOPBACK, startTestGateway, TENANT } from '@postern/gateway/gateway.fixture';
import { auditEvents } from '../support/audit-log.ts';
import { configOf, newAgent } from '../support/scenario.ts';
import { startGateway } from '../support/start-gateway.ts';
import { type FuzzUpstream, startFuzzUpstream } from './fuzz-upstream.ts';

/** What the gateway has noted of a call. */
export interface NotedCall {
  readonly method: string | undefined;
  readonly code: string | undefined;
  /** undefined: this target cannot tell so quickly; `entriesOf` can. */
  readonly isRecorded: boolean | undefined;
}

/** A gateway to throw bytes at, with an upstream that notes what comes through. */
export interface FuzzTarget extends AsyncDisposable {
  readonly port: number;
  readonly key: string;
  /** Of the credential that the gateway adds. */
  readonly secret: string;
  readonly upstream: FuzzUpstream;
  /** The integration of worker `index`: each has connections of its own, and hostile answers lie in one of their own. */
  integration(index: number, isHostile: boolean): string;
  callOf(requestId: string): NotedCall | undefined;
  /** Types of the audit entries of a call, in order. */
  entriesOf(requestId: string): Promise<readonly string[]>;
  /** What must never happen at all. */
  faults(): readonly string[];
  /** Lets go of what is noted. Only between cases. */
  forget(): void;
}

const SECRET = 'fuzz-secret-0123456789-abcdef';

/** For an upstream that falls silent in a tenth of its answers; the breaker never opens. */
const SHORT = { connectMs: 2_000, firstByteMs: 300, totalMs: 1_000, idleMs: 300, streamMs: 1_000 };

/** Two for each worker: `p…` for upstreams that mean well, `w…` for the others. */
function integrationsFor(workers: number, baseUrl: string) {
  return Array.from({ length: workers }, (_, index) => index).flatMap((index) =>
    [false, true].map((isHostile) => ({
      name: nameOf(index, isHostile),
      baseUrl,
      network: LOOPBACK,
      credential: { type: 'bearer' as const, secret: 'token' },
      ...(isHostile ? { timeouts: SHORT } : {}),
      retry: { attempts: 1 },
      breaker: { failures: 1_000, windowMs: 1, openMs: 1 },
      limits: { requestBytes: 100_000, responseBytes: 100_000, streamBytes: 100_000 },
    })),
  );
}

const nameOf = (index: number, isHostile: boolean) => `${isHostile ? 'w' : 'p'}${index}`;

/** In this process: fast, and an error that nobody caught is seen at once. */
export async function startFuzzTarget(workers: number): Promise<FuzzTarget> {
  const upstream = await startFuzzUpstream();
  const gateway = await startTestGateway({
    secrets: { token: SECRET },
    integrations: integrationsFor(workers, upstream.url),
  });
  // Nobody is there to approve what risk would hold.
  await gateway.change((context) =>
    gateway.repositories.policySettings.setRisk(TENANT, { review: 1, deny: 1, scorer: null }, context),
  );
  const noted = new Map<string, NotedCall>();
  const uncaught: string[] = [];
  const onUncaught = (error: unknown) =>
    uncaught.push(`nobody caught: ${error instanceof Error ? error.stack : error}`);
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught);
  gateway.onCall = () => {
    for (const { requestId, method, code, intentRecorded } of gateway.calls.splice(0))
      noted.set(requestId, { method, code, isRecorded: intentRecorded });
  };
  return {
    port: gateway.port,
    key: gateway.key,
    secret: SECRET,
    upstream,
    integration: nameOf,
    callOf: (requestId) => noted.get(requestId),
    entriesOf: async (requestId) => (await gateway.entries({ requestId })).map(({ type }) => type),
    faults: () => [
      ...uncaught,
      ...gateway.faults
        .splice(0)
        .filter(({ doing }) => doing === 'internal_error')
        .map(({ error }) => `internal_error: ${(error as Error).stack}`),
    ],
    forget: () => noted.clear(),
    [Symbol.asyncDispose]: async () => {
      process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught);
      await gateway.close();
      await upstream.close();
    },
  };
}

/** The real program in its own process: slower, and nothing of the test is in it. */
export async function startFuzzProcess(workers: number): Promise<FuzzTarget> {
  const upstream = await startFuzzUpstream();
  const agent = newAgent('coder');
  const integrations = integrationsFor(workers, upstream.url);
  const gateway = await startGateway({
    config: configOf([agent], integrations, { secrets: { token: { value: SECRET } } }),
  });
  const noted = new Map<string, NotedCall>();
  const faults: string[] = [];
  let isClosing = false;
  let rest = '';
  gateway.process.stderr?.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) note(line, noted, faults);
  });
  void gateway.exited.then(({ code, signal }) => {
    if (!isClosing) faults.push(`the gateway ended with ${signal ?? code}: ${gateway.stderr().slice(-2_000)}`);
  });
  return {
    port: Number(new URL(gateway.dataUrl).port),
    key: agent.key,
    secret: SECRET,
    upstream,
    integration: nameOf,
    callOf: (requestId) => noted.get(requestId),
    entriesOf: async (requestId) => (await auditEvents(gateway, { requestId })).map(({ type }) => type),
    faults: () => faults,
    forget: () => noted.clear(),
    [Symbol.asyncDispose]: async () => {
      isClosing = true;
      await gateway.close();
      await upstream.close();
    },
  };
}

function note(line: string, noted: Map<string, NotedCall>, faults: string[]): void {
  if (!line.startsWith('{')) {
    if (line.trim() !== '') faults.push(`not a line of the log: ${line}`);
    return;
  }
  const { msg, requestId, method, code } = JSON.parse(line);
  if (msg === 'call') noted.set(requestId, { method, code, isRecorded: undefined });
  else if (line.includes('internal_error')) faults.push(line);
}

import { runGateway } from '@postern/app-gateway';

/**
 * A gateway whose machine has another clock, and whose leases are shorter, than a gateway has: `CLOCK_AHEAD_MS` and `LEASE_MS`. All else is as
 * it is.
 */
const aheadMs = Number(process.env['CLOCK_AHEAD_MS'] ?? 0);
const leaseMs = process.env['LEASE_MS'];

const gateway = await runGateway({
  environment: process.env,
  demo: false,
  wallClock: () => Date.now() + aheadMs,
  ...(leaseMs === undefined ? {} : { leaseMs: Number(leaseMs) }),
}).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
process.once('SIGTERM', () => void gateway.stop().then(() => process.exit(0)));
void gateway.failed.then(() => process.exit(1));

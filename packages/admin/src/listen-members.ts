import type { DbContext, DbRepositories, IntegrationRecord } from '@postern/db/ports';
import { type Integration, type ListenAddress, parseListenAddress, Rejection } from '@postern/schemas';
import { canonicalAddress, classifyAddress } from '@postern/ssrf-guard';
import type { OwnAddresses } from './dependencies.ts';
import type { PlacedIssue } from './validation/check-shape.ts';

/**
 * Judges `listen` of an integration. Only an instance owner may set it (`forbidden`); others may write the integration as long as
 * they leave it as it is, or take it away.
 */
export function judgeListen(
  { name, listen }: Integration,
  before: Integration | undefined,
  { isInstanceOwner, ownAddresses }: { readonly isInstanceOwner: boolean; readonly ownAddresses: OwnAddresses },
): readonly PlacedIssue[] {
  if (listen === null || listen === before?.listen) return [];
  if (!isInstanceOwner) throw new Rejection('forbidden', `Only an instance owner may set "listen" of ${name}.`);
  const address = parseListenAddress(listen);
  if (address === undefined) return [];
  if (ownAddresses.gatewayListeners().some((other) => areInEachOthersWay(address, other))) {
    return [{ path: ['listen'], message: "is an address of the gateway's own listeners" }];
  }
  if (ownAddresses.mayLeaveLoopback || classifyAddress(address.address) === 'loopback') return [];
  const message =
    'must be a loopback address, or agent keys would cross the network in clear: give the data plane TLS (POSTERN_TLS_CERT_FILE and POSTERN_TLS_KEY_FILE), or set POSTERN_UNSAFE_ALLOW_CLEARTEXT=1';
  return [{ path: ['listen'], message }];
}

/** Addresses that two integrations cannot have at once. Told of those named in `written`, by their names. */
export async function findListenConflicts(
  { integrations }: DbRepositories,
  written: ReadonlySet<string>,
  { tenant, context }: { readonly tenant: string; readonly context: DbContext },
): Promise<ReadonlyMap<string, string>> {
  const all = await integrations.listListening(context);
  const conflicts = new Map<string, string>();
  for (const record of all) {
    if (record.tenant !== tenant || !written.has(record.name)) continue;
    const other = all.find((candidate) => candidate.id !== record.id && haveOneAddress(candidate, record));
    if (other === undefined) continue;
    const owner = other.tenant === tenant ? `the integration ${other.name}` : 'an integration of another tenant';
    conflicts.set(record.name, `is the address of ${owner} already`);
  }
  return conflicts;
}

function haveOneAddress(one: IntegrationRecord, other: IntegrationRecord): boolean {
  const [left, right] = [one, other].map(({ spec }) => parseListenAddress(spec.listen ?? ''));
  return left !== undefined && right !== undefined && areInEachOthersWay(left, right);
}

/** Two listeners on one port: on the same address, or one on all of them. Port 0 is another one each time. */
function areInEachOthersWay(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const [left, right] = [one, other].map(({ address }) => canonicalAddress(address) ?? address) as [string, string];
  if (left === right || left === '::' || right === '::') return true;
  const isIpv4 = !left.includes(':') && !right.includes(':');
  return isIpv4 && (left === '0.0.0.0' || right === '0.0.0.0');
}

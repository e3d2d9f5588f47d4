import { isDeepStrictEqual } from 'node:util';
import { CanonicalUrlError, canonicaliseUrl } from '@postern/canonicalizer';
import { type NotificationEndpoint, type NotificationEvent, Rejection } from '@postern/schemas';
import { classifyAddress, compileTargetPolicy, judgeTarget } from '@postern/ssrf-guard';
import type { WriteDependencies } from '../dependencies.ts';
import { webhookUnfitness, withOpenedSecret } from '../secret-values.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { UnsafeRights } from '../unsafe-members.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { cidrWithin } from './cidr-within.ts';
import type { CurrentState } from './current-state.ts';
import type { ResolvedDocument } from './resolved-document.ts';

/** Nothing in this version makes these happen. */
const NOT_SENT_YET: ReadonlySet<NotificationEvent> = new Set(['edge.offline', 'audit.spooling']);

export interface CheckedNotification {
  /** With its URL in canonical form: by it endpoints are told apart. */
  readonly endpoint: NotificationEndpoint;
  readonly issues: readonly PlacedIssue[];
}

/** What the endpoint alone can be judged by. Needs no network: a name is judged when a message is sent. */
export async function checkNotification(given: NotificationEndpoint): Promise<CheckedNotification> {
  const { unsafeAllowAddresses = [] } = given;
  const networks = unsafeAllowAddresses.flatMap((cidr, index): PlacedIssue[] => {
    const fault = networkFault(cidr);
    return fault === undefined ? [] : [{ path: ['unsafeAllowAddresses', index], message: fault }];
  });
  if (networks.length > 0) return { endpoint: given, issues: networks };
  const refused = (message: string) => ({ endpoint: given, issues: [{ path: ['url'], message }] });
  try {
    const url = canonicaliseUrl(given.url);
    const message = await placeFault(url, unsafeAllowAddresses);
    return message === undefined ? { endpoint: { ...given, url }, issues: [] } : refused(message);
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    return refused(`must be an absolute URL such as https://hooks.example.com/postern: ${cause.message}`);
  }
}

async function placeFault(url: string, unsafeAllowAddresses: readonly string[]): Promise<string | undefined> {
  const { protocol, hostname } = new URL(url);
  const isCleartext = protocol === 'http:';
  if (isCleartext && unsafeAllowAddresses.length === 0) {
    return 'must be https, unless unsafeAllowAddresses names the network that it lies in';
  }
  if (classifyAddress(hostname.replace(/^\[|\]$/g, '')) === 'invalid') return undefined;
  const verdict = await judgeTarget(url, { unsafeAllowAddresses });
  if (verdict.verdict === 'deny') {
    if (verdict.class === 'metadata') return 'a cloud metadata address is never allowed';
    return `the address is ${verdict.class ?? 'not global'}; unsafeAllowAddresses does not cover it`;
  }
  return isCleartext && verdict.class === 'global' ? 'must be https: the address is a public one' : undefined;
}

function networkFault(cidr: string): string | undefined {
  try {
    compileTargetPolicy({ unsafeAllowAddresses: [cidr] });
    return undefined;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return cause.message;
  }
}

/** `unsafeAllowAddresses`, judged against what is stored: others than owners may leave alone what an owner opened (`forbidden`). */
export function judgeNotifications(
  { notifications = [] }: ResolvedDocument,
  before: CurrentState,
  { isInstanceOwner, unsafeAddressCeiling }: UnsafeRights,
): readonly PlacedIssue[] {
  const stored = new Map(before.notifications.map(({ spec }) => [spec.url, spec.unsafeAllowAddresses ?? []]));
  return notifications.flatMap(({ url, unsafeAllowAddresses = [] }, index) => {
    const isAsBefore = isDeepStrictEqual([...unsafeAllowAddresses].sort(), [...(stored.get(url) ?? [])].sort());
    if (unsafeAllowAddresses.length > 0 && !isInstanceOwner && !isAsBefore) {
      throw new Rejection('forbidden', 'Only an instance owner may set "unsafe…" members of notifications.');
    }
    return unsafeAllowAddresses.flatMap((cidr, place): PlacedIssue[] => {
      if (unsafeAddressCeiling === undefined || cidrWithin(cidr, unsafeAddressCeiling)) return [];
      const message = 'must lie within the networks of POSTERN_UNSAFE_ALLOW_ADDRESSES';
      return [{ path: ['notifications', index, 'unsafeAllowAddresses', place], message }];
    });
  });
}

/** Secrets that could sign nothing: of all endpoints as they will be, where document or secret is new. */
export async function checkNotificationSecrets(
  dependencies: WriteDependencies,
  document: ResolvedDocument,
  after: CurrentState,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<readonly PlacedIssue[]> {
  const { notifications = [], secrets } = document;
  const used = new Set(after.notifications.map(({ spec }) => spec.secret));
  const issues: PlacedIssue[] = [];
  for (const name of used) {
    const given = secrets?.get(name);
    if (given !== undefined) {
      const message = webhookUnfitness(given.value);
      if (message !== undefined) issues.push({ path: ['secrets', name], message: `${message} (notifications)` });
      continue;
    }
    const index = notifications.findIndex(({ secret }) => secret === name);
    if (index === -1) continue;
    const active = await dependencies.repositories.secrets.getActiveSecretEnvelope(tenant, name, context);
    const message =
      active && withOpenedSecret(dependencies, active, (bytes) => webhookUnfitness(bytes.toString('utf8')));
    if (message !== undefined) issues.push({ path: ['notifications', index, 'secret'], message });
  }
  return issues;
}

/** What was taken and does not work yet. */
export function warnOfNotifications({ notifications = [] }: ResolvedDocument, after: CurrentState): PlacedIssue[] {
  const stored = new Map(after.secrets.map((secret) => [secret.name, secret]));
  return notifications.flatMap(({ secret: name, events }, index) => {
    const secret = stored.get(name);
    const ofSecret =
      secret === undefined
        ? [`there is no secret ${name} yet; messages wait until there is`]
        : secret.environments === undefined
          ? []
          : [`the secret ${name} lists environments; notifications belong to none and are signed with it all the same`];
    const ofEvents = events.flatMap((event, place) => {
      if (!NOT_SENT_YET.has(event)) return [];
      return [{ path: ['notifications', index, 'events', place], message: 'is not sent by this version yet' }];
    });
    return [...ofSecret.map((message) => ({ path: ['notifications', index, 'secret'], message })), ...ofEvents];
  });
}

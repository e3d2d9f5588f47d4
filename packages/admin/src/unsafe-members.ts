import { isDeepStrictEqual } from 'node:util';
import { type Integration, Rejection } from '@postern/schemas';
import { cidrWithin } from './config/cidr-within.ts';
import { tokenPlaceOf } from './token-place.ts';
import type { PlacedIssue } from './validation/check-shape.ts';

export interface UnsafeRights {
  readonly isInstanceOwner: boolean;
  /** CIDRs within which `unsafeAllowAddresses` must lie; undefined for the start-up file, which sets the ceiling. */
  readonly unsafeAddressCeiling: readonly string[] | undefined;
}

/**
 * Judges the `unsafe…` members of an integration. Only an instance owner may set them (`forbidden`); others may write the
 * integration as long as they leave alone what the owner opened and where it leads. Returns addresses beyond the ceiling.
 */
export function judgeUnsafeMembers(
  integration: Integration,
  before: Integration | undefined,
  { isInstanceOwner, unsafeAddressCeiling }: UnsafeRights,
): readonly PlacedIssue[] {
  const { unsafeAllowAddresses, unsafeAllowCleartextCredentials } = integration.network;
  const isUnsafe = unsafeAllowAddresses.length > 0 || unsafeAllowCleartextCredentials;
  if (isUnsafe && !isInstanceOwner && !leadsWhereItDid(integration, before)) {
    throw new Rejection(
      'forbidden',
      `Only an instance owner may set "unsafe…" members, or change where integration ${integration.name} leads that has them.`,
    );
  }
  if (unsafeAddressCeiling === undefined) return [];
  return unsafeAllowAddresses.flatMap((cidr, index): PlacedIssue[] => {
    if (cidrWithin(cidr, unsafeAddressCeiling)) return [];
    const message = 'must lie within the networks of POSTERN_UNSAFE_ALLOW_ADDRESSES';
    return [{ path: ['network', 'unsafeAllowAddresses', index], message }];
  });
}

function leadsWhereItDid(after: Integration, before: Integration | undefined): boolean {
  if (before === undefined) return false;
  const members = ({ baseUrl, hosts, network, tls, credential }: Integration) => ({
    baseUrl,
    tokenUrl: tokenPlaceOf(credential)?.url,
    hosts: [...(hosts ?? [])],
    network,
    tls,
  });
  return isDeepStrictEqual(members(after), members(before));
}

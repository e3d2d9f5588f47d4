import type { GrantState } from './ports/grants.ts';
import type { GrantRow } from './tables.ts';

export function grantStateOf(
  row: Pick<GrantRow, 'uses_left' | 'expires_at' | 'revoked_at'>,
  nowMs: number,
): GrantState {
  if (row.revoked_at !== null) return 'revoked';
  if (row.uses_left === 0) return 'spent';
  return row.expires_at <= nowMs ? 'expired' : 'usable';
}

import { Rejection } from '@postern/schemas';

/** The call cannot be signed as it is; another call, or another body, can. */
export function unsignable(fault: string): Rejection {
  return new Rejection('target_invalid', `The call cannot be signed for the upstream: ${fault}.`);
}

/**
 * What is known when a rule is held against a call. `allow`, `deny` and `require_approval` decide at stage 5 with all facts at hand;
 * `rate_limit` rules count at stage 7, and do their counting themselves. Where every action that a rule names passes the body as it
 * comes, nobody ever sees it. What an upstream answers is known in no phase.
 */
export function factsLackedBy(effect: unknown, isStreamed: boolean): ReadonlyMap<string, string> {
  const lacked = new Map<string, string>();
  if (effect === 'rate_limit') lacked.set('count', 'a rate limit counts by itself: say how many in limit');
  if (isStreamed) lacked.set('request.body', 'the actions of this rule pass the body as it comes (body: stream)');
  return lacked;
}

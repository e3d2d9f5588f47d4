/** As full as the intent of an ordinary call. */
export function usualIntent(requestId: string) {
  return {
    at: Date.now(),
    tenant: 'default',
    type: 'intent',
    requestId,
    agent: 'agent-0',
    integration: 'upstream',
    action: 'chat',
    kind: 'http',
    method: 'POST',
    url: 'http://127.0.0.1:9000/v1/chat/completions',
    decision: 'allow',
    rule: 'chat',
    policyVersion: 'a'.repeat(64),
    credential: 'upstream-token',
    addresses: ['127.0.0.1'],
  } as const;
}

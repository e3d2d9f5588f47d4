import { answerStubJson, demandHeader, type StubApi, startStubApi } from './stub-api.ts';

export interface StripeUpstreamOptions {
  /** `Authorization` must be `Bearer` and this key. */
  readonly apiKey: string;
  /** How many customers there are. */
  readonly customers: number;
}

/** A server that speaks enough of the Stripe API for its official client: customers, one, new and in pages. */
export function startStripeUpstream({ apiKey, customers }: StripeUpstreamOptions): Promise<StubApi> {
  const all = Array.from({ length: customers }, (_, index) => ({ id: `cus_${index + 1}`, object: 'customer' }));
  return startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${apiKey}`),
    handler: (request, response) => {
      const { pathname, searchParams } = new URL(request.url, 'http://stub');
      const fields = new URLSearchParams(new TextDecoder().decode(request.body));
      if (pathname === '/v1/customers' && request.method === 'POST') {
        return answerStubJson(response, 200, { id: 'cus_new', object: 'customer', name: fields.get('name') });
      }
      if (pathname === '/v1/customers') {
        const begin = all.findIndex(({ id }) => id === searchParams.get('starting_after')) + 1;
        const limit = Number(searchParams.get('limit') ?? 10);
        const data = all.slice(begin, begin + limit);
        const more = begin + limit < all.length;
        return answerStubJson(response, 200, { object: 'list', url: pathname, has_more: more, data });
      }
      const customer = all.find(({ id }) => pathname === `/v1/customers/${id}`);
      if (customer !== undefined) return answerStubJson(response, 200, customer);
      const error = { type: 'invalid_request_error', code: 'resource_missing', message: `nothing at ${pathname}` };
      return answerStubJson(response, 404, { error });
    },
  });
}

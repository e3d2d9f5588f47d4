import type { RequestListener } from 'node:http';
import { PROBLEM_MEDIA_TYPE, Rejection, toProblem } from '@postern/schemas';

export interface OnDemandParts {
  readonly newRequestId: () => string;
  /** It could not be loaded. Requests that waited for it are answered 500; the next one tries anew. */
  readonly onError: (error: unknown) => void;
}

/** Loads what answers requests with the first of them; those that come meanwhile wait. */
export function servedOnDemand(
  load: () => Promise<RequestListener>,
  { newRequestId, onError }: OnDemandParts,
): RequestListener {
  let loaded: RequestListener | undefined;
  let loading: Promise<RequestListener | undefined> | undefined;

  async function loadOnce(): Promise<RequestListener | undefined> {
    try {
      loaded = await load();
    } catch (error) {
      onError(error);
    }
    loading = undefined;
    return loaded;
  }

  return (request, response) => {
    if (loaded !== undefined) return loaded(request, response);
    loading ??= loadOnce();
    void loading.then((listener) => {
      if (listener !== undefined) return listener(request, response);
      const problem = toProblem(
        new Rejection('internal_error', 'The control plane could not be loaded.'),
        newRequestId(),
      );
      response.writeHead(problem.status, { 'content-type': PROBLEM_MEDIA_TYPE, 'cache-control': 'no-store' });
      response.end(JSON.stringify(problem));
    });
  };
}

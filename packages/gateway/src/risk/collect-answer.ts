import { type Exchange, type ExchangeSink, UpstreamFailure } from '@postern/proxy-runtime';
import type { ScorerAnswer } from './read-opinion.ts';

/**
 * The whole answer of an exchange, which its lane keeps small. Rejects with `UpstreamFailure`, or, when `signal` is aborted first, with its
 * reason; then the connection is closed. `start` begins the exchange.
 */
export function collectAnswer(start: (sink: ExchangeSink) => Exchange, signal: AbortSignal): Promise<ScorerAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ScorerAnswer>();
  const chunks: Uint8Array[] = [];
  let status = 0;
  const exchange = start({
    onHead(code, _headers, isStream) {
      status = code;
      if (!isStream) return;
      // A stream has budgets beyond the total one, and none was asked for.
      exchange.abort();
      const detail = 'the scorer answers with a stream';
      reject(new UpstreamFailure({ code: 'response_too_large', detail, sentBytes: 'some', headPassed: true }));
    },
    onData(chunk) {
      chunks.push(chunk);
      return true;
    },
    onEnd: () => resolve({ status, body: Buffer.concat(chunks) }),
    onFailure: reject,
  });
  const leave = () => {
    exchange.abort();
    reject(signal.reason);
  };
  signal.addEventListener('abort', leave, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', leave));
}

import type { Socket } from 'node:net';
import { createPinnedConnector } from '@postern/ssrf-guard';
import { answers, type LaneSettings, type Setting, setUp } from './raw-upstream.test-support.ts';
import type { PinnedTarget } from './transport.ts';

/** Status 200, body `ok`. */
export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

export type Behaviour = (socket: Socket) => unknown;

/** An upstream that meets the first requests with these behaviours, one each, and all further ones with `OK`. */
export function setUpScript(script: readonly Behaviour[], settings: LaneSettings = {}): Promise<Setting> {
  let requests = 0;
  const behave = (socket: Socket) => {
    const behaviour = script[requests] ?? answers(OK);
    requests += 1;
    behaviour(socket);
  };
  return setUp(behave, { retry: {}, ...settings });
}

export const silent: Behaviour = () => {};
export const reset: Behaviour = (socket) => socket.resetAndDestroy();
/** Status 503, body `busy`. */
export const busy = answers('HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy');
export const status = (code: number, fields = '') =>
  answers(`HTTP/1.1 ${code} X\r\n${fields}content-length: 0\r\n\r\n`);

/** A dialler that fails so often before it connects. */
export function failingDialler(times: number, code: string): LaneSettings {
  let dials = 0;
  const connector = (target: PinnedTarget) => {
    const dial = createPinnedConnector(target);
    return ((options, callback) => {
      dials += 1;
      if (dials > times) dial(options, callback);
      else process.nextTick(callback, Object.assign(new Error('no connection'), { code }), null);
    }) as typeof dial;
  };
  return { transport: { connector } };
}

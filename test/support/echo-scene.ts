import type { Socket } from 'node:net';
import type { Entry } from '@postern/schemas';
import { readRequestHead, startRawUpstream } from '@postern/testing';
import { expect, vi } from 'vitest';
import { control } from './audit-log.ts';
import { type Answer, call } from './http-client.ts';
import { configOf, integration, newAgent } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

const coder = newAgent('coder');
/** With all that encoders treat differently. */
export const ODD = 'q&=+ %/ü"-0f1e2d3c\\x';
export const TOKEN = 'tok-3a7c/5e9f+1b2d4680';

/** What the upstream does when a request head has come. */
export type Behaviour = (socket: Socket, head: string) => void | Promise<void>;

/** A gateway in front of an upstream that writes bytes as a test likes, with secrets that may be seen nowhere. */
export interface EchoScene extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly agentKey: string;
  behave(behaviour: Behaviour): void;
  /** Answers with a head (status, reason and fields) and a body of announced length. */
  answerWith(head: string, body?: Uint8Array | string): void;
  get(integration: string, path?: string, headers?: object): Promise<Answer>;
  execute(integration: string): Promise<Answer>;
  /** What is recorded of the one call to a path, among the last hundred entries. */
  recordOf(integration: string, path: string): Promise<CallRecord>;
  /** Fails when a secret stands in what was logged since the last time. */
  expectCleanLog(): void;
}

export interface CallRecord {
  readonly entries: readonly Entry[];
  readonly outcome: Entry;
  readonly violations: readonly Entry[];
}

/**
 * Integrations: `bearer`, `basic` (user `robot`) and `small` (300,000 bytes an answer) with TOKEN, `query` (`api_key`) with ODD, `open` with TOKEN
 * and `scrub: false`, `none` without a credential.
 */
export async function startEchoScene(): Promise<EchoScene> {
  let behaviour: Behaviour = () => undefined;
  const upstream = await startRawUpstream(async (socket) => {
    for (;;) {
      const head = await readRequestHead(socket);
      socket.setNoDelay(true);
      await behaviour(socket, head);
    }
  });
  const gateway = await startGateway({
    config: configOfScene(upstream.url),
    environment: { POSTERN_LOG_LEVEL: 'trace' },
  });
  const headers = { 'postern-key': coder.key };
  let logRead = 0;
  return {
    gateway,
    agentKey: coder.key,
    behave: (next) => {
      behaviour = next;
    },
    answerWith: (head, body = '') => {
      const bytes = Buffer.from(body as string);
      const start = Buffer.from(`HTTP/1.1 ${head}\r\ncontent-length: ${bytes.length}\r\n\r\n`, 'latin1');
      behaviour = (socket) => void socket.write(Buffer.concat([start, bytes]));
    },
    get: (name, path = '/x', more = {}) =>
      call(gateway.dataUrl, `/to/${name}${path}`, { headers: { ...headers, ...more } }),
    execute: (name) =>
      call(gateway.dataUrl, '/v1/execute', {
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ integration: name, request: { method: 'GET', path: '/x' } }),
      }),
    recordOf: (name, path) => recordOf(gateway, name, path),
    expectCleanLog: () => {
      const log = gateway.stderr();
      // With a little of what was read before, for a line may have been cut there.
      expect(readable(Buffer.from(log.slice(Math.max(logRead - 1_000, 0))))).toEqual([]);
      logRead = log.length;
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await upstream.close();
    },
  };
}

function configOfScene(upstreamUrl: string): object {
  const through = (name: string, credential: object, more: object = {}) =>
    integration(name, `${upstreamUrl}/v1`, {
      credential,
      retry: { attempts: 1 },
      breaker: { failures: 1_000 },
      ...more,
    });
  const bearer = { type: 'bearer', secret: 'token' };
  const integrations = [
    through('bearer', bearer),
    through('basic', { type: 'basic', secret: 'token', username: 'robot' }),
    through('query', { type: 'query', secret: 'odd', name: 'api_key' }),
    through('open', bearer, { scrub: false }),
    through('none', { type: 'none' }),
    through('small', bearer, { limits: { responseBytes: 300_000, streamBytes: 300_000 } }),
  ];
  return configOf([coder], integrations, { secrets: { token: { value: TOKEN }, odd: { value: ODD } } });
}

async function recordOf(gateway: RunningGateway, name: string, path: string): Promise<CallRecord> {
  return vi.waitFor(
    async () => {
      const page = await control(gateway, 'GET', `/v1/audit/events?integration=${name}&limit=100`);
      const entries = (page.json().items as Entry[]).filter(({ url }) => url?.endsWith(`/v1${path}`));
      const outcome = entries.find(({ type }) => type === 'outcome');
      if (outcome === undefined) throw new Error('no outcome yet');
      return { entries, outcome, violations: entries.filter(({ type }) => type === 'violation') };
    },
    { timeout: 5_000, interval: 20 },
  );
}

function unicode(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** The ways the specification names, as bytes. */
export function formsOf(secret: string): [string, Buffer][] {
  const bytes = Buffer.from(secret);
  const percent = bytes.toString('hex').replace(/../g, '%$&');
  const json = JSON.stringify(secret).slice(1, -1);
  const inside = (before: string, after: string) => Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]);
  const texts: [string, string | Buffer][] = [
    ['raw', bytes],
    ['base64', bytes.toString('base64')],
    ['base64url', bytes.toString('base64url')],
    ['base64, one byte later', inside('a', 'bc').toString('base64')],
    ['base64url, two bytes later', inside('ab', 'c').toString('base64url')],
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['URL-encoded', encodeURIComponent(secret)],
    ['a field of a form', new URLSearchParams({ k: secret }).toString().slice(2)],
    ['URL-encoded, every byte', percent],
    ['URL-encoded, every byte, upper case', percent.toUpperCase()],
    ['JSON-escaped', json],
    ['JSON-escaped with \\/', json.replaceAll('/', '\\/')],
    ['JSON-escaped, every character', unicode(secret)],
    ['JSON-escaped, every character, upper case', unicode(secret).toUpperCase().replaceAll('\\U', '\\u')],
  ];
  return texts.map(([name, text]) => [name, Buffer.from(text)]);
}

/** The secrets that somebody can read in `bytes`, by taking each decoding back. Written for nothing but to find them. */
export function readable(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('latin1');
  const views = [
    text,
    text.replace(/%([0-9a-f]{2})/gi, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    text
      .replaceAll('+', ' ')
      .replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    text
      .replace(/\\u([0-9a-f]{4})/gi, (_, digits: string) =>
        Buffer.from(String.fromCharCode(Number.parseInt(digits, 16))).toString('latin1'),
      )
      .replace(/\\(["\\/])/g, '$1'),
    ...[0, 1].map((skip) =>
      [...text.matchAll(/[0-9a-f]{12,}/gi)]
        .map(([run]) => Buffer.from(run.slice(skip), 'hex').toString('latin1'))
        .join('\n'),
    ),
    ...[0, 1, 2, 3].map((skip) =>
      [...text.matchAll(/[A-Za-z0-9+/_-]{10,}/g)]
        .map(([run]) => Buffer.from(run.slice(skip), 'base64').toString('latin1'))
        .join('\n'),
    ),
  ];
  // Half of it would be too much already.
  return [TOKEN, ODD]
    .map((secret) => Buffer.from(secret).toString('latin1'))
    .flatMap((secret) => [secret.slice(0, 12), secret.slice(-12)])
    .filter((part) => views.some((view) => view.includes(part)));
}

export function expectClean(answer: Answer): void {
  expect(readable(answer.body)).toEqual([]);
  expect(readable(Buffer.from(JSON.stringify(answer.headers)))).toEqual([]);
}

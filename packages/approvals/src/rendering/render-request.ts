import { type BodyToRender, type RenderedBody, type RenderLimits, renderBody } from './render-body.ts';
import { visibleAscii } from './visible-text.ts';

/** The stored request, before any credential is injected. */
export interface RequestToRender extends BodyToRender {
  readonly method: string;
  /** Canonical. */
  readonly url: string;
  /** All that will be forwarded, in the order received. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Every string has visible characters only, and line feeds where it says so; it may be printed, but is never HTML. */
export interface RenderedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: RenderedBody;
  /** What somebody who reads the rendering should know of it. */
  readonly warnings: readonly string[];
  /** All of it in lines. Headers are indented, lines of the body begin with `| `, so that none of them passes for a line of ours. */
  readonly text: string;
}

/**
 * A request as its approver is to see it: exactly what will be sent, with what hides made visible, and what is left out told.
 *
 * @throws TypeError as `renderBody`
 */
export function renderRequest(request: RequestToRender, limits: RenderLimits = {}): RenderedRequest {
  const method = visibleAscii(request.method);
  const url = visibleAscii(request.url);
  const headers = request.headers.map(([name, value]) => [visibleAscii(name), visibleAscii(value)] as const);
  const body = renderBody(request, limits);
  const written = [method, url, ...headers.flat()];
  const isPlain = [request.method, request.url, ...request.headers.flat()].every((text, at) => text === written[at]);
  const warnings = [
    ...(isPlain && (body.kind === 'none' || !body.hasHidden) ? [] : [HIDDEN_WARNING]),
    ...bodyWarnings(body, request.headers),
  ];
  const text = [
    `${method} ${url}`,
    ...headers.map(([name, value]) => `  ${name}: ${value}`),
    ...bodyLines(body),
    ...warnings.map((warning) => `! ${warning}`),
  ].join('\n');
  return { method, url, headers, body, warnings, text };
}

const HIDDEN_WARNING = 'Some characters do not show or look like others; they are written as \\u{…}.';

function bodyWarnings(body: RenderedBody, headers: RequestToRender['headers']): string[] {
  if (body.kind === 'none') return [];
  const warnings: string[] = [];
  if (body.truncated) warnings.push(`Only the first ${body.shownBytes} of ${body.bytes} bytes of the body are shown.`);
  const encoding = fieldOf(headers, 'content-encoding');
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    warnings.push(`The body is encoded (${visibleAscii(encoding)}) and shown as it is, not decoded.`);
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(fieldOf(headers, 'content-type') ?? '')?.[1];
  if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset)) {
    warnings.push(
      `The body claims to be in ${visibleAscii(charset)}; the receiver may read it otherwise than shown here.`,
    );
  }
  return warnings;
}

function fieldOf(headers: RequestToRender['headers'], name: string): string | undefined {
  const values = headers.filter(([written]) => written.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
}

function bodyLines(body: RenderedBody): string[] {
  if (body.kind === 'none') return ['No body.'];
  const what = body.kind === 'text' ? 'text' : 'not text, in hexadecimal';
  const part = body.truncated ? `, the first ${body.shownBytes} are shown, TRUNCATED` : '';
  return [
    `Body: ${body.bytes} bytes${part}, ${what}, ${body.digest}`,
    ...body.text.split('\n').map((line) => `| ${line}`),
  ];
}

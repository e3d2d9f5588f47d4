import { bodyDigest } from '@postern/canonicalizer';
import { hexLines } from './hex-lines.ts';
import { visibleLines } from './visible-text.ts';

/** A body, or the beginning of one that is too large to be held in memory. */
export interface BodyToRender {
  /** Null without a body. */
  readonly body: Uint8Array | null;
  /** Of the whole body, when `body` is only its beginning. */
  readonly bodyBytes?: number;
  /** `sha-256:` + hex of the whole body; needed when `body` is only its beginning. */
  readonly bodyDigest?: string;
}

export interface RenderLimits {
  /** How much of a text is shown, in bytes. Default 65,536. */
  readonly textBytesMax?: number;
  /** How much of anything else is shown, in bytes. Default 512. */
  readonly hexBytesMax?: number;
}

/** `text` has visible characters and line feeds only. */
export type RenderedBody =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'text' | 'hex';
      /** `hex`: sixteen bytes a line, with the offset before and the ASCII behind. */
      readonly text: string;
      readonly bytes: number;
      readonly shownBytes: number;
      readonly truncated: boolean;
      /** `sha-256:` + hex of the whole body, shown or not. */
      readonly digest: string;
      /** Something in it was written out as `\u{…}`. */
      readonly hasHidden: boolean;
    };

export const TEXT_BYTES_MAX = 65_536;
export const HEX_BYTES_MAX = 512;

/**
 * A request body as an approver is to see it: UTF-8 as text, all else in hexadecimal, always with the length and the digest of the whole.
 *
 * @throws TypeError when a beginning comes without the length and digest of the whole
 */
export function renderBody(source: BodyToRender, limits: RenderLimits = {}): RenderedBody {
  const { body } = source;
  if (body === null) return { kind: 'none' };
  const bytes = source.bodyBytes ?? body.byteLength;
  const isWhole = bytes === body.byteLength;
  if (bytes < body.byteLength || (!isWhole && source.bodyDigest === undefined)) {
    throw new TypeError('The beginning of a body needs the length and the digest of the whole.');
  }
  const whole = { bytes, digest: source.bodyDigest ?? bodyDigest(body) };
  const beginning = body.subarray(0, limits.textBytesMax ?? TEXT_BYTES_MAX);
  const text = readText(beginning, beginning.byteLength === bytes);
  if (text === undefined) {
    const shown = body.subarray(0, limits.hexBytesMax ?? HEX_BYTES_MAX);
    return { kind: 'hex', text: hexLines(shown), ...shownPart(shown.byteLength, whole), hasHidden: false };
  }
  const visible = visibleLines(text);
  const shownBytes = Buffer.byteLength(text);
  return { kind: 'text', text: visible, ...shownPart(shownBytes, whole), hasHidden: visible !== text };
}

function shownPart(shownBytes: number, { bytes, digest }: { bytes: number; digest: string }) {
  return { bytes, shownBytes, truncated: shownBytes < bytes, digest };
}

/** The text of UTF-8 bytes; undefined for what is none, or is mostly control characters. A character that was cut at the end is left out. */
function readText(bytes: Uint8Array, isWhole: boolean): string | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: !isWhole });
  } catch {
    return undefined;
  }
  const controls = text.match(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g)?.length ?? 0;
  return controls * 10 > text.length ? undefined : text;
}

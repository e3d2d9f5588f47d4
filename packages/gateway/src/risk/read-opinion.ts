import { JsonError, type JsonValue, parseJsonStrict } from '@postern/canonicalizer';
import { ScorerFailure } from './scorer-failure.ts';

/** What a scorer says of a call. */
export interface Opinion {
  /** 0 to 1. */
  readonly score: number;
  /** Words in lower case, each once. */
  readonly labels: readonly string[];
}

/** The complete answer of a scorer. */
export interface ScorerAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

const LABELS_MAX = 20;
const LABEL_CHARACTERS_MAX = 64;

/**
 * Reads the answer to a chat completion whose message must be the JSON object that was asked for, and nothing around it. Read strictly:
 * a number that is written as text, or a score of 7, comes from a model that has not understood.
 *
 * @throws ScorerFailure
 */
export function readOpinion({ status, body }: ScorerAnswer): Opinion {
  if (status !== 200) throw statusFailure(status);
  const opinion = memberOf(parse(messageOf(body)), 'score', 'labels');
  const { score, labels = [] } = opinion;
  if (typeof score !== 'number' || !(score >= 0 && score <= 1)) throw invalid('score is no number from 0 to 1');
  if (!Array.isArray(labels) || labels.length > LABELS_MAX) throw invalid('labels is no list of a few words');
  return { score, labels: [...new Set(labels.map(readLabel))] };
}

function statusFailure(status: number): ScorerFailure {
  const detail = `the scorer answered ${status}`;
  if (status === 429) return new ScorerFailure('rate_limited', { detail });
  if (status >= 500) return new ScorerFailure('scorer_failing', { detail });
  if (status >= 300 && status < 400) return new ScorerFailure('redirected');
  return new ScorerFailure(status >= 400 ? 'scorer_refused' : 'answer_invalid', {
    detail: `${detail}; check baseUrl, model and secret of risk.scorer`,
  });
}

/** The text of the one message. What else stands in the envelope differs from server to server. */
function messageOf(body: Uint8Array): string {
  let envelope: unknown;
  try {
    envelope = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // Without the cause: a parser's message quotes what it met.
    throw invalid('it is no JSON');
  }
  const { choices } = memberOf(envelope, 'choices');
  if (!Array.isArray(choices) || choices.length !== 1) throw invalid('it has not one choice');
  const { content } = memberOf(memberOf(choices[0], 'message').message, 'content');
  if (typeof content !== 'string') throw invalid('its message has no text');
  return content;
}

function parse(text: string): JsonValue {
  try {
    return parseJsonStrict(text);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw invalid('its message is no JSON');
  }
}

/** The named own members of an object. */
function memberOf<Name extends string>(value: unknown, ...names: Name[]): { readonly [name in Name]?: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('an object is missing');
  const members: { [name in Name]?: unknown } = {};
  for (const name of names) {
    if (Object.hasOwn(value, name)) members[name] = (value as Record<string, unknown>)[name];
  }
  return members;
}

/** Labels come to people's eyes and into the log: they are plain words whatever the model writes. */
function readLabel(label: unknown): string {
  if (typeof label !== 'string' || label.length === 0 || label.length > LABEL_CHARACTERS_MAX)
    throw invalid('a label is no short text');
  return label.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
}

function invalid(detail: string): ScorerFailure {
  return new ScorerFailure('answer_invalid', { detail: `the answer of the scorer cannot be used: ${detail}` });
}

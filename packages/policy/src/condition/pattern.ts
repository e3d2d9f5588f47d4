import { RE2JS } from 're2js';
import { Fault } from './fault.ts';

/** A compiled regular expression of RE2: it takes time linear in the text, whatever the pattern. */
export interface Pattern {
  readonly test: (text: string) => boolean;
  /** What it costs to hold a text of this length against it. */
  readonly steps: (length: number) => number;
}

const PATTERN_LENGTH_MAX = 1000;
/** Instructions of the compiled program, which each character may be held against. */
const PROGRAM_SIZE_MAX = 1000;

/** Throws Fault for what RE2 does not take: back references, look-around, repetition over 1000. */
export function compilePattern(text: string, position: number): Pattern {
  if (text.length > PATTERN_LENGTH_MAX)
    throw new Fault(`has a pattern over ${PATTERN_LENGTH_MAX} characters`, position);
  const compiled = compileRe2(text, position);
  const size = compiled.programSize();
  if (size > PROGRAM_SIZE_MAX)
    throw new Fault('has a pattern that is too large once its repetitions are written out', position);
  const weight = 1 + (size >> 3);
  return { test: (value) => compiled.test(value), steps: (length) => 1 + (length >> 3) * weight };
}

function compileRe2(text: string, position: number): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^error parsing regexp: /, '') : 'not a pattern';
    throw new Fault(`has an invalid pattern: ${reason}`, position);
  }
}

import { RISK_LABELS, RISK_PATTERNS, type RiskLabel } from './risk-patterns.table.ts';
import { createCues, NOT_ASCII } from './text-cues.ts';

export { RISK_LABELS, type RiskLabel } from './risk-patterns.table.ts';

/** The patterns of all labels, each with the bit that a text has which it may fit. */
const PATTERNS = RISK_LABELS.flatMap((label) => RISK_PATTERNS[label].map((found) => ({ label, ...found }))).map(
  ({ label, pattern }, place) => ({ label, pattern, bit: 1 << place }),
);
const cuesOf = createCues(RISK_LABELS.flatMap((label) => RISK_PATTERNS[label]));

/** Payment card numbers: 13 to 19 digits, single spaces or dashes between them. The check digit decides. */
const CARD = /(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])/g;

/** The labels whose patterns occur in `texts`, in the order of RISK_LABELS. Texts are looked at one by one, never run together. */
export function labelsOf(texts: readonly string[]): readonly RiskLabel[] {
  if (texts.length === 0) return NONE;
  let joined = texts.join('\0');
  let cues = cuesOf(joined);
  if ((cues & NOT_ASCII) !== 0) {
    joined = plainText(joined);
    cues = cuesOf(joined);
  }
  const found = new Set<RiskLabel>();
  for (const { label, pattern, bit } of PATTERNS) {
    if ((cues & bit) !== 0 && !found.has(label) && pattern.test(joined)) found.add(label);
  }
  if (!found.has('pii') && hasCardNumber(joined)) found.add('pii');
  return found.size === 0 ? NONE : RISK_LABELS.filter((label) => found.has(label));
}

const NONE: readonly RiskLabel[] = Object.freeze([]);

/** Compatibility forms as what they look like, and invisible characters gone: both hide words from a pattern, not from a reader. */
function plainText(text: string): string {
  return text.normalize('NFKC').replace(/[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]/g, '');
}

function hasCardNumber(text: string): boolean {
  for (const [found] of text.matchAll(CARD)) if (hasCheckDigit(found.replace(/[ -]/g, ''))) return true;
  return false;
}

/** ISO/IEC 7812-1, annex B. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    sum += index % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
  }
  return sum % 10 === 0 && /[1-9]/.test(digits);
}

/** What the arguments of a call can look like. */
export const RISK_LABELS = ['prompt_injection', 'shell', 'path_traversal', 'pii', 'secret', 'destructive'] as const;
export type RiskLabel = (typeof RISK_LABELS)[number];

/**
 * Hints, not proofs: they raise a score, and nothing is allowed because none fits. Repetitions are bounded, or end where the next
 * attempt could begin, so each pattern takes time linear in the text; none runs over NUL, which stands between two values. Texts come
 * with full-width and zero-width characters undone (see `plainText`).
 */
const PATTERNS: Readonly<Record<RiskLabel, readonly RegExp[]>> = {
  prompt_injection: [
    /\b(?:ignore|disregard|forget|override)[ \t\n]{1,4}(?:(?:all|any|the|your|my|these|those|of)[ \t\n]{1,4}){0,3}(?:previous|prior|above|earlier|preceding|system|former)[ \t\n]{1,4}(?:instruction|prompt|rule|message|direction|command|context|guideline)/i,
    /\byou are now (?:a|an|in|the|no longer|dan)\b/i,
    /\b(?:reveal|print|show|repeat|leak|output)[ \t\n]{1,4}(?:(?:me|us|all|of|the|your)[ \t\n]{1,4}){0,3}(?:system prompt|initial prompt|hidden instructions)/i,
    /\b(?:do not|don't|never)[ \t\n]{1,4}(?:tell|inform|alert|notify|mention (?:this |it )?to)[ \t\n]{1,4}(?:the[ \t\n]{1,4})?(?:user|human|operator|owner)/i,
    /<\|(?:im_start|im_end|system|endoftext)\|>|<\/?system>|\[\/?INST\]|<<\/?SYS>>/i,
  ],
  shell: [
    /(?:^|[;&|`(\n\0]|\$\()[ \t]{0,8}(?:sudo[ \t]{1,8})?(?:rm|curl|wget|nc|ncat|bash|sh|zsh|dd|mkfs|chmod|chown|kill|eval|python3?|perl|ruby|node|powershell|cmd)[ \t]{1,8}[-/~.$"'\w]/i,
    /\|[ \t]{0,8}(?:sudo[ \t]{1,8})?(?:ba|z|da|k)?sh\b/i,
    /\$\([a-z_./][^$)\n\0]{0,200}\)|`[a-z_./][^`\n\0]{0,200}`[ \t]{0,8}(?:[;&|>\0]|$)/im,
    /(?:^|[\s"'=\0])\/(?:usr\/)?bin\/(?:env|ba|z|da|k)?sh\b/i,
    /\b(?:rm|del)[ \t]{1,8}-(?:rf|fr|r[ \t]{1,8}-f|f[ \t]{1,8}-r)\b|\b(?:ba|z)?sh[ \t]{1,8}-c\b|\bpowershell(?:\.exe)?[ \t]{1,8}-e/i,
  ],
  path_traversal: [
    /(?:^|[/\\=\s"'\0])\.\.(?:[/\\]|$|\0)/,
    /%2e%2e(?:%2f|%5c|[/\\])|\.\.(?:%2f|%5c)|%252e%252e/i,
    /(?:^|[\s"'=\0])\/(?:etc\/(?:passwd|shadow|sudoers|ssh)|proc\/self|root\/|var\/run\/secrets)/i,
    /\bfile:\/\/\/?|\\windows\\system32/i,
  ],
  pii: [/\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b/, /\b(?:ssn|social security (?:number|no))\b/i],
  secret: [
    /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----/,
    /\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30}|glpat-[A-Za-z0-9_-]{20})/,
    /\b(?:xox[abeoprs]-[A-Za-z0-9-]{10}|xapp-\d-[A-Z0-9])/,
    /\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9+/]{20}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20})/,
    /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}\b|\bSG\.[A-Za-z0-9_-]{16,24}\.[A-Za-z0-9_-]{30}/,
    /(?<![\w-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10}/,
    /\b(?:password|passwd|secret|api[_-]?key|access[_-]?token|client[_-]?secret)["' \t]{0,4}[:=]["' \t]{0,4}[^\s"'\0]{8}/i,
  ],
  destructive: [
    /\b(?:drop|truncate)[ \t\n]{1,8}(?:table|database|schema|index|view|collection)\b/i,
    /\bdelete[ \t\n]{1,8}from[ \t\n]{1,8}[\w."`[\]]{1,128}(?![ \t\n]{1,8}where\b)[ \t\n]{0,8}(?:;|$|\0|\n|--)/i,
    /\b(?:delete|remove|destroy|wipe|erase|purge)[ \t\n]{1,4}(?:all|every|everything)\b/i,
    /\brm[ \t]{1,8}-(?:rf|fr)\b|\bmkfs(?:\.\w{1,8})?\b|\bdd[ \t]{1,8}if=|\bgit[ \t]{1,8}push[ \t]{1,8}(?:--force|-f)\b/i,
    /\b(?:terraform|kubectl|helm)[ \t]{1,8}(?:destroy|delete|uninstall)\b/i,
  ],
};

/** Payment card numbers: 13 to 19 digits, single spaces or dashes between them. The check digit decides. */
const CARD = /(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])/g;

/** The labels whose patterns occur in `texts`, in the order of RISK_LABELS. Texts are looked at one by one, never run together. */
export function labelsOf(texts: readonly string[]): readonly RiskLabel[] {
  if (texts.length === 0) return [];
  const joined = plainText(texts.join('\0'));
  return RISK_LABELS.filter((label) => {
    return PATTERNS[label].some((pattern) => pattern.test(joined)) || (label === 'pii' && hasCardNumber(joined));
  });
}

/** Compatibility forms as what they look like, and invisible characters gone: both hide words from a pattern, not from a reader. */
function plainText(text: string): string {
  if (!/[^\0-\x7e]/.test(text)) return text;
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

/** What the arguments of a call can look like. */
export const RISK_LABELS = ['prompt_injection', 'shell', 'path_traversal', 'pii', 'secret', 'destructive'] as const;
export type RiskLabel = (typeof RISK_LABELS)[number];

export interface RiskPattern {
  readonly pattern: RegExp;
  /**
   * The pattern fits no text that has none of these words, in any case. A word is a whole run of ASCII letters, or if it has five or
   * more the beginning of one. Absent, with `characters`: the text is searched in any case.
   */
  readonly words?: readonly string[];
  /** Or none of these. */
  readonly characters?: string;
}

/**
 * Hints, not proofs: they raise a score, and nothing is allowed because none fits. Repetitions are bounded, or end where the next
 * attempt could begin, so each pattern takes time linear in the text; none runs over NUL, which stands between two values. Texts come
 * with full-width and zero-width characters undone (see `risk-labels.ts`).
 */
export const RISK_PATTERNS: Readonly<Record<RiskLabel, readonly RiskPattern[]>> = {
  prompt_injection: [
    {
      words: ['ignore', 'disregard', 'forget', 'override'],
      pattern:
        /\b(?:ignore|disregard|forget|override)[ \t\n]{1,4}(?:(?:all|any|the|your|my|these|those|of)[ \t\n]{1,4}){0,3}(?:previous|prior|above|earlier|preceding|system|former)[ \t\n]{1,4}(?:instruction|prompt|rule|message|direction|command|context|guideline)/i,
    },
    { words: ['now'], pattern: /\byou are now (?:a|an|in|the|no longer|dan)\b/i },
    {
      words: ['system', 'initial', 'hidden'],
      pattern:
        /\b(?:reveal|print|show|repeat|leak|output)[ \t\n]{1,4}(?:(?:me|us|all|of|the|your)[ \t\n]{1,4}){0,3}(?:system prompt|initial prompt|hidden instructions)/i,
    },
    {
      words: ['tell', 'inform', 'alert', 'notify', 'mention'],
      pattern:
        /\b(?:do not|don't|never)[ \t\n]{1,4}(?:tell|inform|alert|notify|mention (?:this |it )?to)[ \t\n]{1,4}(?:the[ \t\n]{1,4})?(?:user|human|operator|owner)/i,
    },
    {
      characters: '<[',
      pattern: /<\|(?:im_start|im_end|system|endoftext)\|>|<\/?system>|\[\/?INST\]|<<\/?SYS>>/i,
    },
  ],
  shell: [
    {
      words: [
        ...['rm', 'curl', 'wget', 'nc', 'ncat', 'bash', 'sh', 'zsh', 'dd', 'mkfs', 'chmod', 'chown', 'kill', 'eval'],
        ...['python', 'perl', 'ruby', 'node', 'powershell', 'cmd'],
      ],
      pattern:
        /(?:^|[;&|`(\n\0]|$\()[ \t]{0,8}(?:sudo[ \t]{1,8})?(?:rm|curl|wget|nc|ncat|bash|sh|zsh|dd|mkfs|chmod|chown|kill|eval|python3?|perl|ruby|node|powershell|cmd)[ \t]{1,8}[-/~.$"'\w]/i,
    },
    { characters: '|', pattern: /\|[ \t]{0,8}(?:sudo[ \t]{1,8})?(?:ba|z|da|k)?sh\b/i },
    {
      characters: '$`',
      pattern: /\$\([a-z_./][^$)\n\0]{0,200}\)|`[a-z_./][^`\n\0]{0,200}`[ \t]{0,8}(?:[;&|>\0]|$)/im,
    },
    { words: ['bin'], pattern: /(?:^|[\s"'=\0])\/(?:usr\/)?bin\/(?:env|ba|z|da|k)?sh\b/i },
    {
      words: ['rm', 'del', 'bash', 'zsh', 'sh', 'powershell'],
      pattern:
        /\b(?:rm|del)[ \t]{1,8}-(?:rf|fr|r[ \t]{1,8}-f|f[ \t]{1,8}-r)\b|\b(?:ba|z)?sh[ \t]{1,8}-c\b|\bpowershell(?:\.exe)?[ \t]{1,8}-e/i,
    },
  ],
  path_traversal: [
    { characters: '.', pattern: /(?:^|[/\\=\s"'\0])\.\.(?:[/\\]|$|\0)/ },
    { characters: '%', pattern: /%2e%2e(?:%2f|%5c|[/\\])|\.\.(?:%2f|%5c)|%252e%252e/i },
    {
      words: ['etc', 'proc', 'root', 'var'],
      pattern: /(?:^|[\s"'=\0])\/(?:etc\/(?:passwd|shadow|sudoers|ssh)|proc\/self|root\/|var\/run\/secrets)/i,
    },
    { words: ['file', 'windows'], pattern: /\bfile:\/\/\/?|\\windows\\system32/i },
  ],
  pii: [
    { characters: '-', pattern: /\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b/ },
    { words: ['ssn', 'social'], pattern: /\b(?:ssn|social security (?:number|no))\b/i },
  ],
  secret: [
    { characters: '-', pattern: /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----/ },
    {
      words: ['ghp', 'gho', 'ghu', 'ghs', 'ghr', 'github', 'glpat'],
      pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30}|glpat-[A-Za-z0-9_-]{20})/,
    },
    {
      words: ['xoxa', 'xoxb', 'xoxe', 'xoxo', 'xoxp', 'xoxr', 'xoxs', 'xapp'],
      pattern: /\b(?:xox[abeoprs]-[A-Za-z0-9-]{10}|xapp-\d-[A-Z0-9])/,
    },
    {
      words: ['sk', 'rk', 'whsec'],
      pattern: /\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16}|whsec_[A-Za-z0-9+/]{20}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{20})/,
    },
    {
      pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}\b|\bSG\.[A-Za-z0-9_-]{16,24}\.[A-Za-z0-9_-]{30}/,
    },
    { pattern: /(?<![\w-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10}/ },
    {
      words: ['password', 'passwd', 'secret', 'api', 'apikey', 'access', 'client'],
      pattern:
        /\b(?:password|passwd|secret|api[_-]?key|access[_-]?token|client[_-]?secret)["' \t]{0,4}[:=]["' \t]{0,4}[^\s"'\0]{8}/i,
    },
  ],
  destructive: [
    {
      words: ['drop', 'truncate'],
      pattern: /\b(?:drop|truncate)[ \t\n]{1,8}(?:table|database|schema|index|view|collection)\b/i,
    },
    {
      words: ['delete'],
      pattern:
        /\bdelete[ \t\n]{1,8}from[ \t\n]{1,8}[\w."`[\]]{1,128}(?![ \t\n]{1,8}where\b)[ \t\n]{0,8}(?:;|$|\0|\n|--)/i,
    },
    {
      words: ['delete', 'remove', 'destroy', 'wipe', 'erase', 'purge'],
      pattern: /\b(?:delete|remove|destroy|wipe|erase|purge)[ \t\n]{1,4}(?:all|every|everything)\b/i,
    },
    {
      words: ['rm', 'mkfs', 'dd', 'git'],
      pattern:
        /\brm[ \t]{1,8}-(?:rf|fr)\b|\bmkfs(?:\.\w{1,8})?\b|\bdd[ \t]{1,8}if=|\bgit[ \t]{1,8}push[ \t]{1,8}(?:--force|-f)\b/i,
    },
    {
      words: ['terraform', 'kubectl', 'helm'],
      pattern: /\b(?:terraform|kubectl|helm)[ \t]{1,8}(?:destroy|delete|uninstall)\b/i,
    },
  ],
};

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsOf } from './risk-labels.ts';
import { RISK_LABELS, RISK_PATTERNS } from './risk-patterns.table.ts';
import { createCues, NOT_ASCII } from './text-cues.ts';

const cues = createCues([{ words: ['rm', 'delete'] }, { characters: '|<' }, {}, { words: ['RM'], characters: '$' }]);

describe('cues of a text', () => {
  it.each<[string, number]>([
    ['', 0b0100],
    ['rm', 0b1101],
    ['a Rm b', 0b1101],
    ['_rm1', 0b1101],
    ['arm rmx', 0b0100],
    ['delete', 0b0101],
    ['DELETED', 0b0101],
    ['undelete dele te', 0b0100],
    ['a|b', 0b0110],
    ['ä|$é', 0b1110 | NOT_ASCII],
    ['rmé', 0b1101 | NOT_ASCII],
    ['\x7e', 0b0100],
    ['\x7f', 0b0100 | NOT_ASCII],
    ['\0rm\0', 0b1101],
  ])('in %j', (text, bits) => {
    expect(cues(text)).toBe(bits);
  });

  it('are of ASCII words and few enough groups', () => {
    expect(() => createCues([{ words: ['über'] }])).toThrow(TypeError);
    expect(() => createCues(Array(32).fill({}))).toThrow(RangeError);
  });
});

/** Pieces of what patterns fit, and what may stand between and around them. */
const pieces = fc.constantFrom(
  ...[
    'ignore',
    'Forget',
    'all',
    'previous',
    'system prompt',
    'instruction',
    'you are now',
    'a',
    'show me the',
    'never',
  ],
  ...[
    'tell the user',
    '<|im_start|>',
    '[INST]',
    'sudo',
    'rm',
    '-rf',
    'curl',
    'http',
    'python3',
    '| sh',
    '$(id)',
    '`id`;',
  ],
  ...[
    '/bin/sh',
    'bash -c',
    '..',
    '/',
    '\\',
    '%2e%2e',
    '%2f',
    '/etc/passwd',
    '/proc/self',
    'file:',
    '123-45-6789',
    'ssn',
  ],
  ...['4111 1111 1111 1111', '-----BEGIN PRIVATE KEY-----', 'ghp_', 'glpat-', 'x'.repeat(30), 'xoxb-1234567890'],
  ...[
    'sk-',
    'sk_live_',
    'whsec_',
    'AKIA',
    'ABCDEFGH12345678',
    'AIza',
    'SG.',
    'eyJabcdefghijk',
    '.eyJ',
    'password',
    'api_key',
  ],
  ...[
    'access-token',
    'clientsecret',
    ':',
    '=',
    'hunter2hunter2',
    'drop',
    'TABLE',
    'delete from',
    'users',
    'where',
    'wipe',
  ],
  ...[
    'everything',
    'mkfs.ext4',
    'dd if=',
    'git push --force',
    'terraform',
    'destroy',
    'helm',
    'social security number',
  ],
  ...[' ', '  ', '\n', '\t', '\0', ';', '"', "'", '_', '-', '.', 'é', '\u200b', 'K', 'ſ', 'ｒｍ', '1', 'z'],
);

describe('labels', () => {
  it('are those that a search by all patterns finds', () => {
    const words = fc.array(fc.tuple(pieces, fc.constantFrom('', ' ', '\n')), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 3 }), (texts) => {
        const written = texts.map((text) => text.flat().join(''));
        const plain = written
          .join('\0')
          .normalize('NFKC')
          .replace(/[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]/g, '');
        const found = labelsOf(written);
        for (const label of RISK_LABELS) {
          const isFound = RISK_PATTERNS[label].some(({ pattern }) => pattern.test(plain));
          // The number of a card is no pattern of the table.
          if (label === 'pii' && !isFound) continue;
          expect([label, found.includes(label)]).toEqual([label, isFound]);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

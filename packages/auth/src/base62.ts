const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The value of each ASCII code as a base62 digit, -1 for the others. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => DIGITS.indexOf(String.fromCharCode(code)));

/** The value of a base62 digit by its character code, or -1. */
export function base62Value(code: number): number {
  return VALUES[code] ?? -1;
}

/** `value` in base62 (digits, upper case, lower case), padded on the left with zeros to `length` characters. */
export function encodeBase62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; rest > 0n; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text.padStart(length, '0');
}

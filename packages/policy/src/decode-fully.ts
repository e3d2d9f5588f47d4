const ASCII = /^[\0-\x7f]*$/;
const ENCODED_ASCII = /%[0-7][0-9A-Fa-f]/g;
const ENCODED_UTF8 = /(?:%[89A-Fa-f][0-9A-Fa-f])+/g;
/** `%252525…41`: to come to its end would take as many rounds as it has pairs. */
const PERCENT_CHAIN = /%(?:25)+(?=[0-9A-Fa-f]{2})/g;
/** Beside such chains each further round needs text three times as long. */
const ROUNDS_MAX = 10;

/** `text` percent-decoded, and brought into a form, until nothing changes; undefined where it does not come to an end. */
export function decodeFully(text: string, form: (text: string) => string): string | undefined {
  let last = text;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const next = form(last.includes('%') ? decodeOnce(last) : last);
    if (next === last) return next;
    last = next;
  }
  return undefined;
}

function decodeOnce(text: string): string {
  return decodeUtf8(text.replace(PERCENT_CHAIN, '%').replace(ENCODED_ASCII, decodedAscii));
}

/** Without its escapes of characters outside ASCII. What is no UTF-8 stays as it is: nobody can read more in it. */
export function decodeUtf8(text: string): string {
  return text.replace(ENCODED_UTF8, decodedUtf8);
}

/** In lower case, and in Unicode's form NFKC. Upper case first joins what lower case does not (`ß` and `SS`, `ı` and `I`). */
export function withoutForm(text: string): string {
  return isAscii(text) ? text.toLowerCase() : text.normalize('NFKC').toUpperCase().toLowerCase();
}

/** In Unicode's form NFKC. */
export function withoutUnicodeForm(text: string): string {
  return isAscii(text) ? text : text.normalize('NFKC');
}

export function isAscii(text: string): boolean {
  return ASCII.test(text);
}

function decodedAscii(encoded: string): string {
  return String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
}

function decodedUtf8(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

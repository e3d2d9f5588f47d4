const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of an `application/x-www-form-urlencoded` body: a map of texts, with a list where a name comes more than once. Strict,
 * because the upstream reads the same bytes with another reader.
 *
 * @throws TypeError for what is not UTF-8, a `%` without two hexadecimal digits, and a bare `;`, which some readers take for `&`.
 */
export function readFormBody(bytes: Uint8Array): Readonly<Record<string, string | readonly string[]>> {
  const text = DECODER.decode(bytes);
  const form: Record<string, string | string[]> = Object.create(null);
  if (text.includes(';')) throw new TypeError('the form has a bare ";"');
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decoded(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decoded(pair.slice(equals + 1));
    const former = form[name];
    if (former === undefined) form[name] = value;
    else if (typeof former === 'string') form[name] = [former, value];
    else former.push(value);
  }
  return form;
}

function decoded(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch (cause) {
    throw new TypeError('the form has a "%" that encodes no UTF-8 character', { cause });
  }
}

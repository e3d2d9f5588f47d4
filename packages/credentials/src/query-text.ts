/** Percent-encodes all but RFC 3986's unreserved characters; `encodeURIComponent` would leave five more. `text` must be well-formed. */
export function encodeQueryText(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * Whether the query of `url` (or of a path with query) has a parameter called `name`, with any of its characters percent-encoded. Both `&` and
 * `;` part parameters, since upstreams of either kind exist. Names are compared as bytes, case counted.
 */
export function hasQueryParameter(url: string, name: string): boolean {
  const question = url.indexOf('?');
  if (question < 0) return false;
  const sought = Buffer.from(name, 'utf8').toString('latin1');
  return url
    .slice(question + 1)
    .split(/[&;]/)
    .some((parameter) => decodeName(parameter) === sought);
}

/** The name of a parameter, one character a byte. What is no escape stays as it is written. */
function decodeName(parameter: string): string {
  const equals = parameter.indexOf('=');
  const name = equals < 0 ? parameter : parameter.slice(0, equals);
  const plain = Buffer.from(name, 'utf8').toString('latin1').replaceAll('+', ' ');
  return plain.replace(/%([0-9a-f]{2})/gi, (_escape, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** `url` with `query` (`name=value`, encoded) as its last parameter; all before it stays as it is. `url` must have no fragment. */
export function appendQuery(url: string, query: string): string {
  const question = url.indexOf('?');
  if (question < 0) return `${url}?${query}`;
  return question === url.length - 1 || url.endsWith('&') ? url + query : `${url}&${query}`;
}

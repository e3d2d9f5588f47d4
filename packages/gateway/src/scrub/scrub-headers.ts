import type { EchoMatcher } from './echo-matcher.ts';

/** Takes echoes out of header or trailer fields, in place (flat pairs). A field whose name holds one is dropped: a name cannot be masked. */
export function scrubHeaders(headers: string[], matcher: EchoMatcher): void {
  const { bytesMin } = matcher;
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const name = headers[i] as string;
    if (name.length >= bytesMin && matcher.isInName(name)) {
      headers.splice(i, 2);
      continue;
    }
    const value = headers[i + 1] as string;
    if (value.length >= bytesMin) headers[i + 1] = matcher.scrubText(value);
  }
}

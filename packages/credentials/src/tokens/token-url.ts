/** What is wrong with `text` as the URL of a token endpoint, or undefined. Its scheme is judged with the integration's network settings. */
export function findTokenUrlIssue(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'must be an absolute https URL';
  if (url.username !== '' || url.password !== '') return 'must hold no user and no password';
  if (text.includes('#')) return 'must have no fragment';
  if (text.includes('?')) return 'must have no query';
  if (url.hostname.endsWith('.')) return 'must name its host without a dot at the end';
  return undefined;
}

export function tokenUrlIssues(
  field: string,
  text: string,
): readonly { readonly field: string; readonly message: string }[] {
  const message = findTokenUrlIssue(text);
  return message === undefined ? [] : [{ field, message }];
}

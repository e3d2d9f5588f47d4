const isOne = (segment: string) => segment === '*' || /^\{[^{}]+\}$/.test(segment);
const segmentsOf = (path: string) => path.replace(/^\//, '').split('/');

/** Whether every path that fits `inner` fits `outer`. Says no where it cannot tell. */
export function coversPath(outer: string, inner: string): boolean {
  const wanted = segmentsOf(inner);
  const given = segmentsOf(outer);
  for (const [index, segment] of given.entries()) {
    if (segment === '**') return index === given.length - 1;
    const other = wanted[index];
    if (other === undefined || other === '**') return false;
    if (!(segment === other || (isOne(segment) && other !== ''))) return false;
  }
  return given.length === wanted.length;
}

/** Whether a path that begins with `basePath` (without slash at its end, may be empty) can fit the pattern. */
export function mayLieUnder(pattern: string, basePath: string): boolean {
  if (basePath === '') return true;
  const given = segmentsOf(pattern);
  for (const [index, segment] of segmentsOf(basePath).entries()) {
    const own = given[index];
    if (own === '**') return true;
    if (own === undefined || !(own === segment || isOne(own))) return false;
  }
  return true;
}

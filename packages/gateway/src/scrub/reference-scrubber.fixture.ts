/**
 * What the scrubber must do, written for nothing but to be read: at every place of the text every form of every echo is tried, letter
 * by letter, and all that fits is replaced. Texts are latin1, one byte a character.
 */
export function referenceScrub(text: string, echoes: readonly string[]): string {
  const isEcho = new Array<boolean>(text.length).fill(false);
  for (const echo of echoes) {
    if (Array.from(echo).length < 8) continue;
    for (const units of referenceForms(echo)) {
      for (let start = 0; start < text.length; start += 1) {
        for (const end of endsOf(text, start, units)) isEcho.fill(true, start, end);
      }
    }
  }
  return [...text].map((character, index) => (isEcho[index] ? '*' : character)).join('');
}

/** The proper beginnings of forms that `text` ends with: how long the longest is. */
export function referenceHeld(text: string, echoes: readonly string[]): number {
  const forms = echoes.filter((echo) => Array.from(echo).length >= 8).flatMap(referenceForms);
  for (let start = Math.max(0, text.length - 2_000); start < text.length; start += 1) {
    if (forms.some((units) => mayComplete(text, start, units))) return text.length - start;
  }
  return 0;
}

/** One unit: the ways to write it, each with how many units it is worth. */
interface Way {
  readonly text: string;
  readonly worth: number;
  /** Digits of escapes are alike in both cases. */
  readonly anyCase: boolean;
}
type Units = readonly (readonly Way[])[];

function referenceForms(echo: string): Units[] {
  const latin1 = /^[\0-\xff]*$/.test(echo) ? [Buffer.from(echo, 'latin1')] : [];
  return [Buffer.from(echo), ...latin1].flatMap((bytes, index) => [
    ...[echo, echo.replaceAll(' ', '+')].map((text) => (index === 0 ? utf8Units(text) : latin1Units(text))),
    [...bytes.toString('hex')].map((digit) => [{ text: digit, worth: 1, anyCase: true }]),
    ...[0, 1, 2].map((before) => base64Units(bytes, before)),
  ]);
}

function utf8Units(echo: string): Units {
  const units: Way[][] = [];
  for (const character of echo) {
    const bytes = [...Buffer.from(character)];
    const own = bytes.map(byteWays);
    // A JSON escape stands for a code unit: a whole character, or half of one.
    for (let i = 0; i < character.length; i += 1) {
      const worth = bytes.length / character.length;
      own[i * worth]?.push(...jsonWays(character.charCodeAt(i), worth));
    }
    units.push(...own);
  }
  return units;
}

function latin1Units(echo: string): Units {
  return [...Buffer.from(echo, 'latin1')].map((byte) => [...byteWays(byte), ...jsonWays(byte, 1)]);
}

function byteWays(byte: number): Way[] {
  return [
    { text: String.fromCharCode(byte), worth: 1, anyCase: false },
    { text: `%${byte.toString(16).padStart(2, '0')}`, worth: 1, anyCase: true },
  ];
}

function jsonWays(codeUnit: number, worth: number): Way[] {
  const ways = [{ text: `\\u${codeUnit.toString(16).padStart(4, '0')}`, worth, anyCase: true }];
  if (`"'\\/`.includes(String.fromCharCode(codeUnit))) {
    ways.push({ text: `\\${String.fromCharCode(codeUnit)}`, worth, anyCase: false });
  }
  return ways;
}

function base64Units(bytes: Buffer, before: number): Units {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=*$/, '');
  const first = [0, 2, 3][before];
  const isWhole = (before + bytes.length) % 3 === 0;
  return [...text.slice(first, isWhole ? undefined : -1)].map((character) => {
    if (character !== '+' && character !== '/') return [{ text: character, worth: 1, anyCase: false }];
    return [character, character === '+' ? '-' : '_'].flatMap((each) => [
      { text: each, worth: 1, anyCase: false },
      { text: `%${each.charCodeAt(0).toString(16)}`, worth: 1, anyCase: true },
      ...jsonWays(each.charCodeAt(0), 1),
    ]);
  });
}

function fits(text: string, at: number, way: Way): boolean {
  const piece = text.slice(at, at + way.text.length);
  if (piece.startsWith('\\U')) return false;
  return way.anyCase ? piece.toLowerCase() === way.text : piece === way.text;
}

function endsOf(text: string, start: number, units: Units): Set<number> {
  const ends = new Set<number>();
  const visited = new Set<string>();
  const open = [{ at: start, unit: 0 }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { at, unit } = place;
    if (unit === units.length) ends.add(at);
    for (const way of units[unit] ?? []) {
      const next = { at: at + way.text.length, unit: unit + way.worth };
      const name = `${next.at} ${next.unit}`;
      if (!fits(text, at, way) || visited.has(name)) continue;
      visited.add(name);
      open.push(next);
    }
  }
  return ends;
}

function mayComplete(text: string, start: number, units: Units): boolean {
  const visited = new Set<string>();
  const open = [{ at: start, unit: 0 }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { at, unit } = place;
    if (at === text.length && unit < units.length) return true;
    for (const way of units[unit] ?? []) {
      const left = text.length - at;
      if (left > 0 && left < way.text.length && fits(text, at, { ...way, text: way.text.slice(0, left) })) return true;
      const next = { at: at + way.text.length, unit: unit + way.worth };
      const name = `${next.at} ${next.unit}`;
      if (next.at > text.length || !fits(text, at, way) || visited.has(name)) continue;
      visited.add(name);
      open.push(next);
    }
  }
  return false;
}

/**
 * Holds the sizes, names and left-overs of ARCHITECTURE, section 5: `node scripts/check-size.ts [ROOT]`. The lines and parameters
 * of functions are biome's part (biome.json: `noExcessiveLinesPerFunction`, `useMaxParams`).
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { lineOf, scanSource } from './scan-source.ts';
import { type Finding, isSource, listFiles, readPackages, report } from './source-tree.ts';

export const LINES_MAX = 500;
export const LINES_WARN = 300;

/** Tables, generated files, fixtures and conformance suites may be as long as they need. */
const ANY_LENGTH = /\.(table|generated|fixture)\.[a-z]+$|\/conformance\//;
const FORBIDDEN_FOLDER = /(^|\/)(utils|common|helpers)\//;
const FORBIDDEN_FILE =
  /(^|\/)(types|utils|helpers|common|misc)\.tsx?$|-(service|manager|utils|helper|helpers|impl)\.tsx?$/;
const KEBAB_CASE = /^[a-z0-9]+([.-][a-z0-9]+)*\.tsx?$/;
const FORBIDDEN_NAME = /(?<![\w$.])(?:class|interface|type)\s+(\w+(?:Service|Manager|Utils|Helper|Impl))\b/g;
const LEFT_OVER_COMMENT = /\b(TODO|FIXME)\b|@ts-(ignore|nocheck)\b/g;
const LEFT_OVER_TEST = /(?<![\w$.])(?:test|it|describe|bench|suite)(?:\.\w+)*\.(only|skip|todo|skipIf|runIf)\s*[(.]/g;
const MOCK = /(?<![\w$.])(?:vi|jest)\.(mock|doMock|hoisted)\s*\(/g;

/** Folders that exist on one machine only. Joined here, so that this file does not name them itself. */
const MACHINE_PATH = new RegExp(`(?<![\\w.*:}-])/(?:${['work', 'root'].join('|')})/`, 'g');
const TEXT_FILE =
  /\.(tsx?|m?js|json|md|ya?ml|sh|sql|toml|conf|service|html|css)$|(^|\/)(Dockerfile|\.env\.example|run)$/;

export interface SizeResult {
  readonly findings: readonly Finding[];
  /** Files to look at again, the longest first. */
  readonly long: readonly { readonly file: string; readonly lines: number }[];
  readonly files: number;
  readonly medianLines: number;
}

export function checkSize(root: string): SizeResult {
  const files = listFiles(root);
  const findings = [...checkReadmes(root), ...checkLockFile(root)];
  const lengths: { file: string; lines: number }[] = [];
  for (const file of files.filter((each) => TEXT_FILE.test(each))) {
    const text = readFileSync(path.join(root, file), 'utf8');
    findings.push(...matches(text, text, MACHINE_PATH).map(({ line }) => fault(file, line, 'a path of one machine')));
    if (!isSource(file)) continue;
    const lines = text.split('\n').length - 1;
    if (!ANY_LENGTH.test(file)) lengths.push({ file, lines });
    findings.push(...checkSource(file, text, lines));
  }
  lengths.sort((left, right) => right.lines - left.lines);
  return {
    findings,
    long: lengths.filter(({ lines }) => lines > LINES_WARN),
    files: lengths.length,
    medianLines: lengths[Math.floor(lengths.length / 2)]?.lines ?? 0,
  };
}

function checkSource(file: string, text: string, lines: number): Finding[] {
  const scanned = scanSource(text);
  return [
    ...checkNames(file),
    ...(lines > LINES_MAX && !ANY_LENGTH.test(file)
      ? [fault(file, undefined, `${lines} lines, at most ${LINES_MAX}`)]
      : []),
    ...matches(text, scanned.code, FORBIDDEN_NAME).map(({ line, word }) =>
      fault(file, line, `the name ${word} says nothing`),
    ),
    ...matches(text, scanned.comments, LEFT_OVER_COMMENT).map(({ line, word }) =>
      fault(file, line, `left over: ${word}`),
    ),
    ...matches(text, scanned.code, LEFT_OVER_TEST).map(({ line, word }) => fault(file, line, `a test with .${word}`)),
    ...matches(text, scanned.code, MOCK).map(({ line, word }) => fault(file, line, `no mock library: .${word}`)),
  ];
}

function checkNames(file: string): Finding[] {
  const name = path.posix.basename(file);
  return [
    ...(FORBIDDEN_FOLDER.test(file)
      ? [fault(file, undefined, 'a folder for anything: name it after what is in it')]
      : []),
    ...(FORBIDDEN_FILE.test(file) ? [fault(file, undefined, 'a file for anything: name it after what is in it')] : []),
    ...(KEBAB_CASE.test(name) ? [] : [fault(file, undefined, 'file names are in kebab-case')]),
  ];
}

function checkReadmes(root: string): Finding[] {
  return readPackages(root)
    .filter(({ folder }) => folder.startsWith('packages/') && !existsSync(path.join(root, folder, 'README.md')))
    .map(({ folder }) => fault(folder, undefined, 'has no README.md'));
}

/** A lock file made behind another registry sends everybody there. */
function checkLockFile(root: string): Finding[] {
  const file = 'package-lock.json';
  if (!existsSync(path.join(root, file))) return [];
  const text = readFileSync(path.join(root, file), 'utf8');
  const foreign = matches(text, text, /"resolved": "(https?:\/\/(?!registry\.npmjs\.org\/)[^"]*)"/g);
  return foreign.slice(0, 1).map(({ line }) => fault(file, line, 'points to a registry other than npm’s'));
}

function matches(source: string, searched: string, pattern: RegExp): { line: number; word: string }[] {
  return [...searched.matchAll(pattern)].map((match) => ({
    line: lineOf(source, match.index),
    word: match.slice(1).find((group) => group !== undefined) ?? match[0],
  }));
}

function fault(file: string, line: number | undefined, message: string): Finding {
  return line === undefined ? { file, message } : { file, line, message };
}

if (import.meta.main) {
  const { findings, long, files, medianLines } = checkSize(path.resolve(process.argv[2] ?? '.'));
  for (const { file, lines } of long) {
    if (lines <= LINES_MAX) console.log(`${file}  ${lines} lines: look again whether it is two files`);
  }
  report('sizes', findings, `${files} files, half of them at most ${medianLines} lines`);
}

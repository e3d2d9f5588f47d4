import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import type { IssuePath } from '../validation/schema-walk.ts';

/** A document larger than this is no configuration but an attack or a mistake. */
export const DOCUMENT_CHARACTERS_MAX = 4 * 1024 * 1024;
/** Uses of anchors; each may stand for a large part of the document. */
const ALIASES_MAX = 100;
const DEPTH_MAX = 64;

/** A fault of the text itself. `line` counts from 1. The message repeats nothing of the text. */
export interface TextIssue {
  readonly line: number;
  readonly message: string;
}

export interface ReadYaml {
  /** Plain JSON data; undefined when there are issues. */
  readonly value: unknown;
  readonly issues: readonly TextIssue[];
  /** The line on which the value at `path` stands, or the nearest part of the document that is there. */
  lineOf(path: IssuePath): number | undefined;
}

/**
 * Reads YAML 1.2 (core schema) or JSON, with the parts of YAML refused that make a document mean something else than it looks
 * like: duplicate keys, explicit tags, keys that are no text, several documents in one file, recursive or multiplied anchors.
 */
export function readYaml(text: string): ReadYaml {
  const nowhere = () => undefined;
  if (text.length > DOCUMENT_CHARACTERS_MAX) {
    const message = `the document must have at most ${DOCUMENT_CHARACTERS_MAX} characters`;
    return { value: undefined, issues: [{ line: 1, message }], lineOf: nowhere };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    // With it the messages would quote the text, and the text may hold secrets.
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
    schema: 'core',
    version: '1.2',
    // With 'silent' the parser passes over further documents.
    logLevel: 'error',
  });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : Math.max(1, lines.linePos(offset).line));
  const lineOf = (path: IssuePath) => lineOfPath(document, path, lineAt);
  const faults = [...document.errors, ...document.warnings].map((fault) => describeFault(fault, lineAt));
  const issues = faults.length > 0 ? faults : trapsIn(document, lineAt);
  if (issues.length > 0) return { value: undefined, issues: distinct(issues), lineOf };
  try {
    // The parser counts the anchor itself as a use, and multiplies by the uses within it.
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX + 1 }), issues: [], lineOf };
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) throw cause;
    const message = `anchors must not be used more than ${ALIASES_MAX} times`;
    return { value: undefined, issues: [{ line: 1, message }], lineOf };
  }
}

/** In words of our own: the parser's may quote the text. */
const FAULTS: Record<YAMLError['code'], string> = {
  ALIAS_PROPS: 'an alias must have neither anchor nor tag',
  BAD_ALIAS: 'the alias names no anchor before it',
  BAD_COLLECTION_TYPE: 'the tag does not fit the collection',
  BAD_DIRECTIVE: 'the directive is not valid YAML; leave it out',
  BAD_DQ_ESCAPE: 'the text in double quotes has an invalid escape; use single quotes or write \\\\',
  BAD_INDENT: 'the indentation is wrong, or a bracket is not closed',
  BAD_PROP_ORDER: 'anchors and tags must stand before the value',
  BAD_SCALAR_START: 'the value begins with a character that must be quoted',
  BLOCK_AS_IMPLICIT_KEY: 'a key must be on one line, and a value with ": " in it must be quoted',
  BLOCK_IN_FLOW: 'block style must not be used inside brackets',
  DUPLICATE_KEY: 'the key is there twice',
  IMPOSSIBLE: 'the text is not valid YAML',
  KEY_OVER_1024_CHARS: 'the key must have at most 1024 characters',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line',
  MULTIPLE_ANCHORS: 'a value must have at most one anchor',
  MULTIPLE_DOCS: 'the file must hold one document; another begins here',
  MULTIPLE_TAGS: 'tags are not supported',
  NON_STRING_KEY: 'a key must be text; write it in quotes',
  RESOURCE_EXHAUSTION: `the document must be nested at most ${DEPTH_MAX} deep`,
  TAB_AS_INDENT: 'tabs must not be used for indentation; use spaces',
  TAG_RESOLVE_FAILED: 'tags are not supported',
  UNEXPECTED_TOKEN: 'the text is not valid YAML here',
};

type LineAt = (offset: number | undefined) => number;

function describeFault(fault: YAMLError, lineAt: LineAt): TextIssue {
  return { line: lineAt(fault.pos[0]), message: FAULTS[fault.code] };
}

function trapsIn(document: Document.Parsed, lineAt: LineAt): TextIssue[] {
  const issues: TextIssue[] = [];
  const report = (node: Node, message: string) => issues.push({ line: lineAt(node.range?.[0]), message });
  let aliases = 0;
  visit(document, {
    Node(_key, node, ancestors) {
      if (!isAlias(node) && node.tag !== undefined) report(node, FAULTS.TAG_RESOLVE_FAILED);
      // Every level is a collection and a pair.
      if (ancestors.length > DEPTH_MAX * 2) {
        report(node, FAULTS.RESOURCE_EXHAUSTION);
        return visit.BREAK;
      }
      return undefined;
    },
    Alias(_key, node, ancestors) {
      aliases++;
      if (aliases <= ALIASES_MAX) {
        const anchored = node.resolve(document);
        if (anchored === undefined) report(node, FAULTS.BAD_ALIAS);
        else if (ancestors.includes(anchored)) report(node, 'an anchor must not be used within itself');
        return undefined;
      }
      report(node, `anchors must not be used more than ${ALIASES_MAX} times`);
      return visit.BREAK;
    },
  });
  return issues;
}

function lineOfPath(document: Document.Parsed, path: IssuePath, lineAt: LineAt): number | undefined {
  let node: unknown = document.contents;
  let line = lineAt(document.contents?.range?.[0]);
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return line;
      line = lineAt(isNode(pair.key) ? (pair.key.range?.[0] ?? undefined) : undefined);
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      const item = node.items[step];
      if (!isNode(item)) return line;
      line = lineAt(item.range?.[0]);
      node = item;
    } else {
      return line;
    }
  }
  return line;
}

function distinct(issues: readonly TextIssue[]): readonly TextIssue[] {
  const seen = new Map(issues.map((issue) => [`${issue.line}:${issue.message}`, issue]));
  return [...seen.values()];
}

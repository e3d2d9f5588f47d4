import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Files by path; a text is written as it is, anything else as JSON. */
export type FixtureTree = Readonly<Record<string, string | object>>;

/** Writes the tree below `root`, with folders as needed. */
export function writeTree(root: string, tree: FixtureTree): void {
  for (const [file, content] of Object.entries(tree)) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }
}

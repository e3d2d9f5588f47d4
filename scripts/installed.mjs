// Plain JavaScript, because before `npm install` the only Node at hand may be too old to run TypeScript.
import { existsSync } from 'node:fs';

const needed = ['node', 'tsc', 'biome', 'vitest'];
const missing = needed.filter((name) => !existsSync(new URL(`../node_modules/.bin/${name}`, import.meta.url)));
if (missing.length > 0) {
  console.error(`Not installed yet (${missing.join(', ')} missing in node_modules): run "npm install" first.`);
  process.exitCode = 1;
}

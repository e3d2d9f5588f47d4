// Plain JavaScript: see bin/gateway.js.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Beside what was installed, and not in a folder for temporary files: whoever can write there could have us run what they like.
// Where the gateway cannot write, it does without.
const { directory } = enableCompileCache(
  fileURLToPath(new URL('../../../node_modules/.cache/postern', import.meta.url)),
);

// Threads do not take over what is set here but what stands in the environment.
if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory;

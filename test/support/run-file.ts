/**
 * Runs a Lua program in a process of its own, for what changes a whole process (limits, mounts):
 *
 *   node run-file.ts ring|pool FILE
 *
 * Prints what the program prints; ends with 1 if it failed, or left descriptors open.
 */
import { useRing } from '../../src/io/uring.ts';
import { openReactor } from './faulty.ts';
import { openDescriptors, runFile } from './spec.ts';

const [how, file] = process.argv.slice(2);
await openReactor();
useRing(true); // its descriptor stays
useRing(how === 'ring');
const before = openDescriptors();
const outcome = await runFile(file!, 'main.lua');
process.stdout.write(outcome.stdout, 'latin1');
process.stderr.write(outcome.stderr, 'latin1');
const left = openDescriptors().length - before.length;
if (left !== 0) process.stderr.write(`${left} descriptors left open\n`);
process.exit(left !== 0 || outcome.stderr !== '' ? 1 : 0);

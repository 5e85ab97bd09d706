/**
 * A supervisor as src/cli/jailed.ts is one, whose children run JavaScript that attacks from behind the walls: what
 * a program has that has broken out of Lua. `argv[2]`: the addon that makes any system call (raw.c).
 *
 * A request's body is {walls, code}: `code` is a function of (call, call32); its result is written to
 * descriptor 1 as JSON.
 */
import { writeSync } from 'node:fs';
import { computeFilter, noteInherited } from '../../src/sandbox/apply.ts';
import { becomeActor, exitNow, supervise } from '../../src/sandbox/child.ts';
import type { Plan } from '../../src/sandbox/plan.ts';

const addon = { exports: {} as { call: unknown; call32: unknown; threads: unknown } };
process.dlopen(addon, process.argv[2]!);
const { call, call32, threads } = addon.exports;
computeFilter(false);
noteInherited(2 ** 32, 2 ** 35);

const start = supervise(); // returns in children only
try {
  const { walls, code } = JSON.parse(Buffer.from(start.task!.body).toString()) as {
    walls: Plan;
    code: string;
  };
  becomeActor(start, () => {}, walls);
  // biome-ignore lint/security/noGlobalEval: it is what this is for
  // biome-ignore lint/complexity/noCommaOperator: the comma makes it indirect
  const attack = (0, eval)(code) as (...args: unknown[]) => unknown;
  writeSync(1, JSON.stringify(await attack(call, call32, process, threads)));
  exitNow(0);
} catch (error) {
  writeSync(1, JSON.stringify(`failed: ${(error as Error).message}`));
  exitNow(1);
}

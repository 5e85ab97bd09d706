/**
 * What the kernel may do to a program: refuse, fall short, be interrupted. A test makes one system call
 * misbehave and runs a program against that, which must leave no descriptor.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, type Fault, injectFault } from '../../src/sys/fault.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { fromBytes, openDescriptors, runLua } from './spec.ts';

export type NamedFault = Omit<Fault, 'errno'> & { errno?: string };

/** The runtime's own descriptors come with the first operation that waits, or the first set of signals, and stay. */
export async function openReactor(): Promise<void> {
  await runLua(`
    local r = require('pipe').pair()
    spawn(function() pcall(r.read_some, r, byte_span.new(1)) end)
    this_fiber.yield()
    r:close()
    local signal = require('system').signal
    if signal.SIGWINCH then pcall(function() signal.set.new(signal.SIGWINCH):clear() end) end
  `);
}

/**
 * @param setup    Lua in front of every program
 * @param prepare  what to do before each test; it returns how to undo it
 */
export function faultTests(setup: string, prepare: () => () => void = () => () => {}) {
  return (
    name: string,
    call: string,
    fault: NamedFault,
    program: string,
    expected: string,
  ): void => {
    test(name, { timeout: 300_000, skip: nativeFailure() ?? false }, async () => {
      const undo = prepare();
      const before = openDescriptors();
      const errno = fault.errno === undefined ? 0 : errnoNumber(fault.errno)!;
      injectFault(call, { ...fault, errno });
      try {
        const outcome = await runLua(setup + program);
        assert.equal(outcome.stderr, '');
        assert.equal(fromBytes(outcome.stdout), expected);
      } finally {
        clearFault(call);
        undo();
      }
      assert.deepEqual(openDescriptors(), before, 'descriptors left open');
    });
  };
}

/** What is different for a program that a debugger looks at. */
import { waitOutside } from '../io/reactor.ts';
import { setUncaughtHandler } from '../runtime/error.ts';

export const inspection = {
  /** A debugger may come: chunks have source maps, and statements and names are Lua's. */
  debugs: false,
  /** The first chunk that is loaded stops at its first statement. */
  breaks: false,
  /** A profiler will want to know where the functions of all code are. */
  profiles: false,
};

/**
 * Compile for a debugger from now on.
 * @param breaks  stop at the first statement of the program
 */
export function debugFrom(breaks: boolean): void {
  inspection.debugs = true;
  waitOutside();
  inspection.breaks = breaks;
  setUncaughtHandler(stopFunction());
}

/**
 * What stops at errors that nothing catches. Debuggers skip a `debugger` of what they are told to ignore, as our
 * bundle, so it is a script of its own.
 */
function stopFunction(): () => void {
  const text = `(function uncaught_error() {
  // A Lua error that no pcall and no xpcall catches: the frames below are where it is raised.
  debugger;
})
//# sourceURL=perilune:uncaught-error`;
  // biome-ignore lint/security/noGlobalEval: a text of our own
  // biome-ignore lint/complexity/noCommaOperator: the comma makes it indirect
  return (0, eval)(text) as () => void;
}

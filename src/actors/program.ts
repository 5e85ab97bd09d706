/** What the process was started with: below the modules, so that `system` is made only where it is wanted. */
let programArguments: readonly string[] = [];

/** @param list  {program, script, those after `--` …}, as bytes */
export function setArguments(list: readonly string[]): void {
  programArguments = list;
}

/**
 * The pool of threads that the process begins with.
 * - isAlone: it takes no more of them
 * - isWalled: nor can others be made: their program could not be read
 */
export const mainPool = { isAlone: false, isWalled: false };

export function getArguments(): readonly string[] {
  return programArguments;
}

/**
 * Functions that V8 puts into none of their callers. It compiles what is called often with all that it calls, and does so for each caller by
 * itself: what stands below many places of a program is compiled once for each of them. docs/decisions/0063-what-is-compiled-once.md
 */

/** Calls that are never made: their bytecode is longer than what V8 inlines (`--max-inlined-bytecode-size` of bin/perilune). */
const CALLS = 150;

/**
 * `f` with a name and parameters of its own. What never runs stands in front: V8 counts calls by how far into the bytecode they
 * return, so this function is compiled no later than a short one. `f`, which only this one calls, V8 puts into it.
 */
export function apart<F extends (...args: never[]) => unknown>(
  name: string,
  parameters: string,
  f: F,
): F {
  const call = `$f(${parameters})`;
  const [first] = parameters.split(',');
  return new Function(
    '$f',
    `return function ${name}(${parameters}) { if (${first} === $f) { ${`${call}; `.repeat(CALLS)}} return ${call}; }`,
  )(f) as F;
}

/** Whether two outputs of a program are the same, but for what is meant to differ. */

const ADDRESS = /(table|function|thread|userdata): (?:builtin#\d+|0x[0-9a-f]{0,12}|[0-9a-f]{4,})/g;

/** `main.lua:7: attempt to index local 'x' (a nil value)`, in parts. */
const ATTEMPT =
  /(?:main\.lua:(?<line>\d+): )?attempt to (?<action>call|concatenate|get length of|index|perform arithmetic on) (?:(?<name>(?:field|global|local|method|upvalue) '[^']*') \((?<named>an? \w+ value)\)|(?<unnamed>an? \w+ value))/g;
type Parts = { readonly [K in 'line' | 'action' | 'name' | 'named' | 'unnamed']?: string };

/** Lines that the statement of an error may have before the one that is named, or after it. */
const NEAR = 12;

/** What LuaJIT says of an attempt, and what we do, mean the same. */
function sameAttempt(expected: Parts, actual: Parts, program: readonly string[]): boolean {
  const { action } = expected;
  if (action !== actual.action) return false;
  if ((expected.named ?? expected.unnamed) !== (actual.named ?? actual.unnamed)) return false;
  const [line, lineHere] = [Number(expected.line), Number(actual.line)];
  const near = program.slice(Math.max(lineHere - NEAR, 0), lineHere).join('\n');
  // LuaJIT's line for an index is that of the operator after it, or where the statement ends; it has none for a
  // metamethod that can't be called.
  const isMetamethod = action === 'call' && expected.name === undefined && !expected.line;
  const sameLine =
    line === lineHere || (action === 'index' && Math.abs(line - lineHere) <= NEAR) || isMetamethod;
  if (!sameLine) return false;
  if (expected.name === actual.name) return true;
  // It has forgotten the name of what is assigned to where a call or `...` comes before the assignment.
  if (actual.name !== undefined) return action === 'index' && /[(]|\.\.\./.test(near);
  // Where we are not sure: the value of `and` and `or` is the last operand to LuaJIT, and in a chain of `..` it
  // may name the wrong one.
  return (
    /\b(?:and|or)\b/.test(near) ||
    (action === 'concatenate' && /\.\.(?!\.).*\.\.(?!\.)/s.test(near))
  );
}

const CALLED = /(?<=#\d+ to ')([\w.?]+|\(for generator\))(?=' \()/g;

/** `actual`, with parts of `expected` that mean the same put in their places. */
function reconciled(expected: string, actual: string, program: readonly string[]): string {
  const attempts = [...expected.matchAll(ATTEMPT)];
  let n = 0;
  const a = actual.replace(ATTEMPT, (text, ...groups) => {
    const theirs = attempts[n++];
    const isSame = theirs !== undefined && sameAttempt(theirs.groups!, groups.at(-1), program);
    return isSame ? theirs[0] : text;
  });
  // LuaJIT has forgotten some names of functions (after a tail call, or called by `pcall`), and what an operator or
  // a loop calls is called after that.
  const names = expected.match(CALLED) ?? [];
  let nth = 0;
  return a.replace(CALLED, (name) => {
    const theirs = names[nth++] ?? '';
    return /^(\?|__|\(for)/.test(theirs) ? theirs : name;
  });
}

/** `text` with zeros, and what is divided by them, without a sign. */
const unsigned = (text: string): string => text.replace(/-(?=0(?![\w.])|inf\b)/g, '');
/** The places in front of the first one: those of functions that passed an error on. */
const PLACES_BEFORE = /(?:main\.lua:\d+: )+(?=main\.lua:\d+: )/g;

export function sameLine(expected: string, actual: string, program: readonly string[]): boolean {
  if (expected === actual) return true;
  const e = expected
    .replace(ADDRESS, '$1: address')
    // The driver is a caller, too.
    .replace(/"[^" ]*driver\.lua:\d+: /, '"')
    // Lua 5.2's words: also for one that has resumed others.
    .replaceAll('resume running coroutine', 'resume non-suspended coroutine');
  let a = reconciled(e, actual.replace(ADDRESS, '$1: address'), program);
  // LuaJIT doesn't always tell a missing argument from nil.
  if (e.includes('got nil')) a = a.replace('got no value', 'got nil');
  if (e === a) return true;
  // LuaJIT's interpreter rounds -0.6 up to 0; C's ceil gives -0.
  if (program.some((line) => line.includes('ceil')) && unsigned(e) === unsigned(a)) return true;
  // We let a traversal go on from a number whose element was removed, wherever it was.
  if (e.includes("invalid key to 'next'")) return true;
  // Of two errors in a text it is open which is found first.
  if (/ <goto \w+> jumps into the scope of | duplicate label /.test(e) && / near '/.test(a))
    return true;
  // We cut off long tokens.
  const [start, rest] = a.split(/(?<= near '.{50,})\.\.\.'$/);
  if (rest === '' && e.startsWith(start!)) return true;
  // Functions made by coroutine.wrap raise errors unchanged.
  if (e.replace(PLACES_BEFORE, '') === a.replace(PLACES_BEFORE, '')) return true;
  for (let s = e; s !== (s = s.replace(/main\.lua:\d+: /, '')); ) if (s === a) return true;
  // The wording of errors in libraries that are written in Lua.
  return e.includes('[builtin:') && e.replace(/".*/, '') === a.replace(/".*/, '');
}

export function same(expected: string, actual: string, program: string): boolean {
  if (expected === actual) return true;
  // LuaJIT can call C only 200 levels deep, and compares objects only with those of their own type, as Lua 5.1 does.
  if (
    /stack overflow|attempt to compare (?!table with table)(?:\w+ with table|table with \w+)/.test(
      expected,
    )
  )
    return true;
  const lines = actual.split('\n');
  const wanted = expected.split('\n');
  const text = program.split('\n');
  return lines.length === wanted.length && wanted.every((e, i) => sameLine(e, lines[i]!, text));
}

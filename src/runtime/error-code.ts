/**
 * Error objects: tables `{code, category}` that programs compare, print and translate; and the
 * categories that the runtime itself raises. Codes of the generic and system categories are errnos.
 */
import { LuaError, traceForError } from './error.ts';
import { formatNumber } from './number.ts';
import { LuaTable, property, rawGetString, setField } from './table.ts';
import { type LuaFunction, type LuaValue, Userdata } from './value.ts';

/** A domain of codes. Lua sees a userdata with `message`. */
export class ErrorCategory extends Userdata {
  readonly name: string;
  readonly describe: (code: number) => string;
  /** The portable form of a code: (category, code). */
  readonly portable: (code: number) => [ErrorCategory, number];

  constructor(
    name: string,
    describe: (code: number) => string,
    portable?: (code: number) => [ErrorCategory, number],
  ) {
    super();
    this.name = name;
    this.describe = describe;
    this.portable = portable ?? ((code) => [this, code]);
  }
}

/** Names and wording of errnos come from the layer that knows the kernel. */
let posix: { number(name: string): number | undefined; message(code: number): string } = {
  number: () => undefined,
  message: (code) => `Unknown error ${code}`,
};
export function setPosixErrors(table: typeof posix): void {
  posix = table;
}

export const genericCategory = new ErrorCategory('generic', (code) => posix.message(code));
export const systemCategory = new ErrorCategory(
  'system',
  (code) => posix.message(code),
  (code) => [genericCategory, code],
);

/** What is wrong with the text of a program: the field `message` says it. Codes are those of lua.h. */
export const luaCategory = new ErrorCategory('lua', (code) => LUA[code] ?? 'Unknown error');
const LUA: Readonly<Record<number, string>> = {
  2: 'Runtime error',
  3: 'Syntax error',
  4: 'Not enough memory',
  5: 'Error in an error handler',
  6: 'Cannot open file',
};
export const LUA_ERRSYNTAX = 3;

/** Errors of the runtime, in the numbering of Emilua 0.6 and in its words. */
const CORE = [
  ['invalid_module_name', 'Cannot have a module with this name'],
  ['module_not_found', 'Module not found'],
  ['root_cannot_import_parent', "The root module doesn't have a parent and can't reference one"],
  [
    'cyclic_import',
    "The module you're trying to import has a dependency on the current module (and it is partially loaded already)",
  ],
  ['leaf_cannot_import_child', 'A leaf module cannot import child modules'],
  ['only_main_fiber_may_import', 'You can only import modules from the main fiber'],
  ['bad_root_context', 'Bad root context'],
  ['bad_index', "Requested key wasn't found in the table/userdata"],
  ['bad_coroutine', 'The fiber coroutine is reserved to the scheduler'],
  ['suspension_already_allowed', 'Suspension already allowed'],
  ['interruption_already_allowed', 'Interrupt-ability already allowed'],
  ['forbid_suspend_block', 'EPERM within a forbid-suspend block'],
  ['interrupted', 'Fiber interrupted'],
  ['unmatched_scope_cleanup', 'scope_cleanup_pop() called w/o a matching scope_cleanup_push()'],
  ['channel_closed', 'Channel closed'],
  ['no_senders', 'Broadcast the address before attempting to receive on it'],
  ['internal_module', 'Lua code cannot import this module directly'],
  ['raise_error', 'std::raise() failed'],
  ['bad_rdf', 'Failed to parse RDF'],
  ['bad_rdf_module', "Parsed RDF doesn't contain a recognized Emilua module"],
  ['bad_rdf_error_category', 'Parsed RDF module contains an invalid error category'],
  ['broken_promise', 'Broken promise'],
  ['promise_already_satisfied', 'Promise already satisfied'],
  ['current_module_not_known', 'Global _FILE is missing or invalid'],
] as const;

export type CoreName = (typeof CORE)[number][0];

export const coreCategory = new ErrorCategory('emilua.core', (code) => CORE[code - 1]?.[1] ?? '');

/** The code of a core error. */
export function coreCode(name: CoreName): number {
  return CORE.findIndex(([n]) => n === name) + 1;
}

const CODE = property('code');
const CATEGORY = property('category');
type Fields = Record<string, LuaValue>;

export type Extra = { readonly [field: string]: LuaValue };

/** A new error object. */
export function errorObject(category: ErrorCategory, code: number, extra?: Extra): LuaTable {
  const t = new LuaTable();
  // Not by `setField`, where V8 would have to look for the name: each connection ends with an error.
  t.named = true;
  (t as unknown as Fields)[CODE] = code;
  (t as unknown as Fields)[CATEGORY] = category;
  if (extra !== undefined) for (const [k, v] of Object.entries(extra)) setField(t, k, v);
  t.meta = errorMeta;
  return t;
}

export const isCode = (v: LuaValue): v is number => Number.isSafeInteger(v);

/** What an error object means; undefined when it has been broken. Its fields make it one: a copy of them will do. */
export function readError(v: LuaValue): { category: ErrorCategory; code: number } | undefined {
  if (!(v instanceof LuaTable)) return undefined;
  const category = rawGetString(v, 'category');
  const code = rawGetString(v, 'code');
  return category instanceof ErrorCategory && isCode(code) ? { category, code } : undefined;
}

const raise = (object: LuaTable): LuaError => new LuaError(object, traceForError());

/** An error of the runtime's own, by its core name. */
export function coreError(name: CoreName, extra?: Extra): LuaError {
  return raise(errorObject(coreCategory, coreCode(name), extra));
}

/** The same to end the wait of another fiber: it is raised there, and gets its traceback then. */
export function coreErrorThere(name: CoreName): LuaError {
  return new LuaError(errorObject(coreCategory, coreCode(name)));
}

/** A portable error: something that the program did wrong. */
export function codeError(name: string, extra?: Extra): LuaError {
  return raise(errorObject(genericCategory, posix.number(name) ?? 0, extra));
}

/** EINVAL with the position (or the name) of the argument. */
export function badArgument(arg: number | string): LuaError {
  return codeError('EINVAL', { arg });
}

/** @param key  that was not found; a name is told */
export function badIndex(key?: LuaValue): LuaError {
  return coreError('bad_index', typeof key === 'string' ? { index: 2, key } : { index: 2 });
}

/** A failed system call. */
export function systemError(errno: number, extra?: Extra): LuaError {
  return raise(errorObject(systemCategory, errno, extra));
}

/** A failed system call that another fiber waits for: `coreErrorThere` says more. */
export function systemErrorThere(errno: number): LuaError {
  return new LuaError(errorObject(systemCategory, errno));
}

export function categoryError(category: ErrorCategory, code: number, extra?: Extra): LuaError {
  return raise(errorObject(category, code, extra));
}

/** Is it this error, whatever extra fields it has? */
export function isError(v: LuaValue, category: ErrorCategory, code: number): boolean {
  const e = readError(v);
  return e !== undefined && e.category === category && e.code === code;
}

export const isInterrupted = (v: LuaValue): boolean =>
  isError(v, coreCategory, coreCode('interrupted'));

// ── what Lua can do with an error object ───────────────────────────────────────────────────────────

const members: Record<string, LuaFunction> = {
  togeneric(self) {
    const e = readError(self);
    if (e === undefined) throw badArgument(1);
    return errorObject(...e.category.portable(e.code));
  },
};

const errorMeta = new LuaTable();
setField(errorMeta, '__metatable', 'error_code');
setField(errorMeta, '__tostring', ((self: LuaValue) => {
  const e = readError(self);
  if (e === undefined) throw codeError('EINVAL');
  return e.category.describe(e.code);
}) as LuaFunction);
setField(errorMeta, '__eq', ((a: LuaValue, b: LuaValue) => {
  const x = readError(a);
  const y = readError(b);
  return x !== undefined && y !== undefined && x.category === y.category && x.code === y.code;
}) as LuaFunction);
setField(errorMeta, '__index', ((_self: LuaValue, key: LuaValue) =>
  typeof key === 'string' && Object.hasOwn(members, key)
    ? members[key]
    : undefined) as LuaFunction);
property('code');
property('category');

/** What a report says of an error. No metamethods: no fiber is there to run them. */
export function messageOf(value: LuaValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  const error = readError(value);
  if (error === undefined) return '';
  const text = error.category.describe(error.code);
  const more =
    error.category === luaCategory ? rawGetString(value as LuaTable, 'message') : undefined;
  return typeof more === 'string' ? `${text}: ${more}` : text;
}

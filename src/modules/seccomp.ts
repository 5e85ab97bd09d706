/** `require 'seccomp'`: filters of system calls. Ours, not Emilua's. */
import { SeccompFilter } from '../actors/seccomp-filter.ts';
import { bytesOf, spanOfBytes } from '../runtime/byte-span.ts';
import { argError, argTypeError, checkString } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { entries, LuaTable, rawGet, rawLength } from '../runtime/table.ts';
import type { LuaValue, Result } from '../runtime/value.ts';
import {
  ARCHITECTURES,
  type Architecture,
  architectureOf,
  isCall,
} from '../sandbox/architectures.ts';
import { decode } from '../sandbox/bpf.ts';
import { disassemble } from '../sandbox/disassemble.ts';
import { PROFILES } from '../sandbox/profiles.ts';
import {
  type Action,
  ALL_BITS,
  ARGUMENTS,
  actionOf,
  type Comparison,
  type Condition,
  DENY,
  MAX_ERRNO,
  type Rule,
  run,
} from '../sandbox/seccomp.ts';
import { errnoName, errnoNumber } from '../sys/errno.ts';
import { luaModule, luaType } from './define.ts';

const ACTIONS: Readonly<Record<string, Action>> = {
  allow: 'allow',
  log: 'log',
  deny: DENY,
  kill: 'kill',
};
const COMPARISONS: ReadonlySet<string> = new Set<Comparison>(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

// ── arguments ──────────────────────────────────────────────────────────────────────────────────────

function checkCall(v: LuaValue, position: number, fn: string): string {
  const name = checkString(v, position, fn);
  return isCall(name) ? name : argError(position, fn, `no system call is called '${name}'`);
}

/** A name, or a list of them. */
function checkCalls(v: LuaValue, position: number, fn: string): string[] {
  if (!(v instanceof LuaTable)) {
    return typeof v === 'string'
      ? [checkCall(v, position, fn)]
      : argTypeError(v, position, fn, 'string or table');
  }
  const names: string[] = [];
  for (let i = 1; i <= rawLength(v); i++) names.push(checkCall(rawGet(v, i), position, fn));
  return names.length > 0 ? names : argError(position, fn, 'no system call');
}

const WORD = /^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i;

/** 64 bits: a whole number, or a string of digits for those that numbers of Lua don't have. */
function wordOf(v: LuaValue): bigint | undefined {
  if (typeof v === 'number') return Number.isSafeInteger(v) ? BigInt(v) : undefined;
  if (typeof v !== 'string' || !WORD.test(v)) return undefined;
  const word = BigInt(v);
  return word <= ALL_BITS ? word : undefined;
}

function checkCondition(v: LuaValue, position: number, fn: string): Condition {
  const wrong = (message: string): never => argError(position, fn, message);
  if (!(v instanceof LuaTable)) return argTypeError(v, position, fn, 'table');
  let arg: number | undefined;
  let mask = ALL_BITS;
  let compare: Comparison | undefined;
  let given: LuaValue;
  for (const [key, value] of entries(v)) {
    if (key === 'arg') {
      const isOne = typeof value === 'number' && Number.isInteger(value);
      if (!isOne || value < 1 || value > ARGUMENTS) return wrong('arg is none of 1 to 6');
      arg = value - 1;
    } else if (key === 'mask') {
      mask = BigInt.asUintN(64, wordOf(value) ?? wrong('mask is no number of 64 bits'));
    } else if (typeof key === 'string' && COMPARISONS.has(key)) {
      if (compare !== undefined) return wrong(`both ${compare} and ${key}`);
      compare = key as Comparison;
      given = value;
    } else return wrong(`${typeof key === 'string' ? `'${key}'` : 'a key'} means nothing here`);
  }
  if (arg === undefined) return wrong('arg is missing');
  if (compare === undefined) return wrong('one of eq, ne, lt, le, gt, ge is missing');
  if (given instanceof LuaTable && compare !== 'eq') return wrong(`${compare} takes one number`);
  const list = given instanceof LuaTable ? elements(given) : [given];
  if (list.length === 0) return wrong('eq has no number');
  const values = list.map((one) => {
    const word = wordOf(one) ?? wrong(`${compare} is no number of 64 bits`);
    // -1 is all bits that count: so an int is compared by the half that it has. Others have to fit in there with their sign.
    const isNegative = word < 0n && BigInt.asIntN(bitLength(mask), word) === word;
    const value = isNegative ? BigInt.asUintN(64, word) & mask : word;
    return (value & ~mask) === 0n ? value : wrong(`${compare} has bits that mask leaves out`);
  });
  return { arg, mask, compare, values };
}

/** Up to the highest that is set. */
const bitLength = (mask: bigint): number => (mask === 0n ? 0 : mask.toString(2).length);

const elements = (t: LuaTable): LuaValue[] =>
  Array.from({ length: rawLength(t) }, (_, i) => rawGet(t, i + 1));

function checkErrno(
  v: LuaValue,
  position: number,
  fn: string,
  otherwise = 'no such error',
): number {
  const number = typeof v === 'string' ? errnoNumber(v) : v;
  if (typeof v !== 'string' && typeof v !== 'number') argTypeError(v, position, fn, 'string');
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= MAX_ERRNO)
    return number;
  return argError(position, fn, otherwise);
}

function checkArchitecture(v: LuaValue, position: number, fn: string): Architecture {
  if (v === undefined) return architectureOf(process.arch);
  const name = checkString(v, position, fn);
  return ARCHITECTURES.get(name) ?? argError(position, fn, `no architecture is called '${name}'`);
}

function profileNamed(v: LuaValue, position: number, fn: string): readonly Rule[] {
  const name = checkString(v, position, fn);
  return PROFILES.get(name) ?? argError(position, fn, `no profile is called '${name}'`);
}

// ── filters ────────────────────────────────────────────────────────────────────────────────────────

/** `filter:NAME(calls, condition…)`; what is checked first comes at `first`. */
function addRule(
  self: SeccompFilter,
  action: Action,
  fn: string,
  first: number,
  args: readonly LuaValue[],
): Result {
  const calls = checkCalls(args[0], first, fn);
  const when = args.slice(1).map((v, i) => checkCondition(v, first + 1 + i, fn));
  self.add({ calls, when, action });
  return self;
}

function include(self: SeccompFilter, other: LuaValue): Result {
  const rules =
    other instanceof SeccompFilter ? [...other.rules] : profileNamed(other, 2, 'include');
  self.add(...rules);
  return self;
}

const noWord = (v: LuaValue, position: number): never =>
  typeof v === 'number' || typeof v === 'string'
    ? argError(position, 'verdict', 'no number of 64 bits')
    : argTypeError(v, position, 'verdict', 'number');

/** @returns what the program says: a name, and for `errno` that of the error */
function verdict(self: SeccompFilter, call: LuaValue, ...args: LuaValue[]): Result {
  const { audit, calls, name } = self.architecture;
  const number =
    typeof call === 'number' && (call | 0) === call
      ? call
      : (calls.get(checkCall(call, 2, 'verdict')) ??
        argError(2, 'verdict', `${name} has no system call '${String(call)}'`));
  const words = args.map((v, i) => wordOf(v) ?? noWord(v, 3 + i));
  const action = actionOf(run(self.program, audit, number, words)!)!;
  return typeof action === 'string' ? action : ['errno', errnoName(action.errno) ?? action.errno];
}

function nameOf(action: Action): string {
  return typeof action === 'string' ? action : (errnoName(action.errno) ?? `${action.errno}`);
}

const listing = (self: SeccompFilter): string =>
  disassemble(self.program, self.architecture, errnoName);

const byAction =
  (action: string) =>
  (self: SeccompFilter, ...args: LuaValue[]) =>
    addRule(self, ACTIONS[action]!, action, 2, args);

luaType('seccomp.filter', SeccompFilter, {
  methods: {
    allow: byAction('allow'),
    log: byAction('log'),
    deny: byAction('deny'),
    kill: byAction('kill'),
    errno: (self, error: LuaValue, ...args: LuaValue[]) =>
      addRule(self, { errno: checkErrno(error, 2, 'errno') }, 'errno', 3, args),
    include,
    verdict,
    compile: (self) => spanOfBytes(self.bytes),
  },
  properties: {
    architecture: (self) => self.architecture.name,
    default: (self) => nameOf(self.otherwise),
  },
  length: (self) => self.program.length,
  tostring: listing,
});

/** Of calls that no rule fits: the name of an action, or of an error. */
function checkDefault(v: LuaValue): Action {
  if (v === undefined) return DENY;
  if (typeof v === 'string' && Object.hasOwn(ACTIONS, v)) return ACTIONS[v]!;
  return { errno: checkErrno(v, 1, 'new', 'no such action or error') };
}

export const seccomp = luaModule('seccomp', {
  new: (otherwise: LuaValue, architecture: LuaValue) =>
    new SeccompFilter(checkDefault(otherwise), checkArchitecture(architecture, 2, 'new')),
  profile: (name: LuaValue, architecture: LuaValue) =>
    new SeccompFilter(
      DENY,
      checkArchitecture(architecture, 2, 'profile'),
      profileNamed(name, 1, 'profile'),
    ),
  disassemble: (program: LuaValue, architecture: LuaValue) => {
    const instructions = decode(bytesOf(program) ?? new Uint8Array(1));
    if (instructions === undefined) throw badArgument(1);
    return disassemble(instructions, checkArchitecture(architecture, 2, 'disassemble'), errnoName);
  },
});

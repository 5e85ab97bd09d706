/**
 * How a Lua-visible module is written: `luaModule` lists its members, `luaType` a class of userdata
 * with its methods and properties. Kernel errors become Lua errors here and nowhere else.
 */
import type { Vm } from '../actors/vm.ts';
import { LuaError, setErrorTranslator } from '../runtime/error.ts';
import {
  badArgument,
  badIndex,
  codeError,
  errorObject,
  setPosixErrors,
  systemCategory,
} from '../runtime/error-code.ts';
import { setMetatable } from '../runtime/metatable.ts';
import { type FieldsMaker, fieldsMaker, LuaTable, property, setField } from '../runtime/table.ts';
import type { LuaFunction, LuaValue, Result, Userdata, UserdataType } from '../runtime/value.ts';
import { errnoMessage, errnoNumber, SysError } from '../sys/errno.ts';

/** A module as `require` and the table of globals know it; every VM gets tables of its own. */
export interface LuaModule {
  readonly name: string;
  /** A fresh instance. */
  create(vm: Vm): LuaValue;
}

/** Wraps what must be made anew for every table that it is a member of. */
export class PerVm<For = any> {
  readonly make: (context: For) => LuaValue;
  constructor(make: (context: For) => LuaValue) {
    this.make = make;
  }
}

export type MemberTable = { readonly [name: string]: LuaValue | PerVm | MemberTable };

/** A module that is a plain table: functions, constants, nested tables. */
export function luaModule(name: string, members: MemberTable): LuaModule {
  const template = new Template(members);
  return { name, create: () => template.make() };
}

/** The same, which tells a name that it doesn't have from nil, and takes no new ones. */
export function strictModule(name: string, members: MemberTable): LuaModule {
  const template = new Template(members);
  return {
    name,
    create() {
      const t = template.make();
      const meta = new LuaTable();
      setField(meta, '__metatable', name);
      setField(meta, '__index', ((_: LuaValue, key: LuaValue) => {
        throw badIndex(key);
      }) as LuaFunction);
      setField(meta, '__newindex', (() => {
        throw codeError('EPERM');
      }) as LuaFunction);
      setMetatable(t, meta);
      return t;
    },
  };
}

/** A new table with these members; nested plain objects become tables. */
export function fill(members: MemberTable): LuaTable {
  const names = Object.keys(members);
  if (names.length > FEW) return new Template(members).make();
  const t = new LuaTable();
  names.forEach((name) => setField(t, name, memberValue(members[name])));
  return t;
}

/** Up to so many fields are set one by one in the first table. */
const FEW = 12;

/** Tables with the same members, of which every VM has one. */
export class Template {
  private readonly members: MemberTable;
  private maker: FieldsMaker | undefined = undefined;
  private readonly varying: (PerVm | Template)[] = [];
  private isFirst: boolean;

  constructor(members: MemberTable) {
    this.members = members;
    this.isFirst = Object.keys(members).length <= FEW;
  }

  /** @param context  what members that are made for each table are told */
  make(context?: unknown): LuaTable {
    if (this.isFirst) {
      this.isFirst = false; // mostly there is no second one
      return fill(this.members); // none of those has a context
    }
    this.maker ??= this.compile();
    return this.maker(this.varying.map((member) => member.make(context)));
  }

  private compile(): FieldsMaker {
    const names = Object.keys(this.members);
    const varies: boolean[] = [];
    const values = names.map((name): LuaValue => {
      const member = this.members[name];
      const maker = isNested(member) ? new Template(member) : member;
      const isMade = maker instanceof PerVm || maker instanceof Template;
      varies.push(isMade);
      if (!isMade) return maker;
      this.varying.push(maker);
      return undefined;
    });
    return fieldsMaker(names, values, varies);
  }
}

const isNested = (member: MemberTable[string]): member is MemberTable =>
  typeof member === 'object' && Object.getPrototypeOf(member) === Object.prototype;

function memberValue(member: MemberTable[string]): LuaValue {
  if (member instanceof PerVm) return member.make(undefined);
  return isNested(member) ? fill(member) : member;
}

type Method<C> = (self: C, ...args: any[]) => Result;

export interface TypeSpec<C extends Userdata> {
  methods?: Record<string, Method<C>>;
  /** Read as `object.name`; may throw. */
  properties?: Record<string, (self: C) => Result>;
  /** Written as `object.name = value`. */
  setters?: Record<string, (self: C, value: LuaValue) => void>;
  /** Integer (or any other unknown) keys; return undefined from it only where nil is meant. */
  index?: (self: C, key: LuaValue) => Result;
  setIndex?: (self: C, key: LuaValue, value: LuaValue) => void;
  /** Called before a member is read or written; may throw. */
  guard?: (self: C, key: LuaValue) => void;
  tostring?: (self: C) => string;
  length?: (self: C) => number;
  equals?: UserdataType['equals'];
  less?: UserdataType['less'];
  lessEqual?: UserdataType['lessEqual'];
  arith?: UserdataType['arith'];
  concat?: UserdataType['concat'];
}

const namesOfTypes = new Map<string, (() => string[])[]>();

/** What each type that Lua can see has by name, for the test that every name is documented. */
export function luaTypes(): Map<string, ReadonlySet<string>> {
  return new Map(
    Array.from(namesOfTypes, ([name, lists]) => [name, new Set(lists.flatMap((list) => list()))]),
  );
}

/** For `setIndex`: a name that isn't a member's is told, rather than that it can't be written. */
export function unknownMember(_self: unknown, key: LuaValue): never {
  throw badIndex(key);
}

/** What reading a member has raised, until that is asked for again or assigned to. */
let raised: { readonly self: Userdata; readonly key: string; readonly thrown: unknown } | undefined;

/**
 * Make a class visible to Lua. Every method checks that `self` is of the class (EINVAL{arg=1});
 * an unknown key raises `bad_index`; a write raises EPERM unless there is a setter.
 *
 * All of that is made when the first object is asked for its type: a program uses few of the types that it could.
 * @param given  a function where it takes some doing
 */
export function luaType<C extends Userdata>(
  name: string,
  cls: Class<C>,
  given: TypeSpec<C> | (() => TypeSpec<C>),
): void {
  let made: TypeSpec<C> | undefined;
  const spec = (): TypeSpec<C> => (made ??= typeof given === 'function' ? given() : given);
  const { prototype } = cls;
  prototypes.push(prototype);
  Object.defineProperty(prototype, 'luaType', {
    configurable: true,
    get(): UserdataType {
      const value = makeType(name, cls, spec());
      Object.defineProperty(prototype, 'luaType', { value, configurable: false });
      return value;
    },
  });
  const names = namesOfTypes.get(name);
  const list = (): string[] => namesIn(spec());
  if (names === undefined) namesOfTypes.set(name, [list]);
  else names.push(list);
}

const prototypes: Userdata[] = [];

/** All types that there are, now: for a process that is forked, whose children would make them in memory of their own. */
export function makeTypes(): void {
  for (const prototype of prototypes) void prototype.luaType;
}

const namesIn = ({ methods = {}, properties = {}, setters = {} }: TypeSpec<any>): string[] =>
  [methods, properties, setters].flatMap((some) => Object.keys(some));

type Class<C> = abstract new (...args: any[]) => C;

function makeType<C extends Userdata>(
  name: string,
  cls: Class<C>,
  spec: TypeSpec<C>,
): UserdataType {
  const methods = new Map<string, LuaFunction>();
  const { properties = {}, setters = {}, guard } = spec;
  const write = (self: C, key: LuaValue, value: LuaValue): void => {
    guard?.(self, key);
    const setter =
      typeof key === 'string' && Object.hasOwn(setters, key) ? setters[key] : undefined;
    if (setter !== undefined) setter(self, value);
    else if (spec.setIndex !== undefined) spec.setIndex(self, key, value);
    else throw codeError('EPERM');
  };
  // Emitted code reads `object.$key` directly, and assigns to it when it is not nil. Where it is nil, `index` or
  // `setIndex` comes next: the one raises what the reading has, for an assignment that is nothing.
  const quiet = (key: string, get: (self: C) => Result) =>
    function (this: C): Result {
      try {
        guard?.(this, key);
        return get(this);
      } catch (thrown) {
        raised = { self: this, key, thrown };
        return undefined;
      }
    };
  const visible = (key: string, get: (this: C) => Result): void => {
    Object.defineProperty(cls.prototype, property(key), {
      get,
      set(this: C, value: LuaValue) {
        write(this, key, value);
      },
    });
  };
  for (const [key, body] of Object.entries(spec.methods ?? {})) {
    const method: LuaFunction = (self, ...args) => {
      // All methods share this code, in which `instanceof` costs as much as all the rest.
      if ((self as C | undefined)?.luaType !== type && !(self instanceof cls)) throw badArgument(1);
      return body(self as C, ...args);
    };
    methods.set(key, method);
  }
  // Not before one is used: that is a good part of the time that it takes to start.
  let isInstalled = false;
  const install = (): void => {
    isInstalled = true;
    for (const [key, method] of methods) {
      const get = () => method;
      visible(key, guard === undefined ? get : quiet(key, get));
    }
    for (const [key, get] of Object.entries(properties)) {
      // What can be set is not read before, which may be a system call.
      if (!Object.hasOwn(setters, key)) visible(key, quiet(key, get));
    }
  };
  const type: UserdataType = {
    name,
    index(self, key) {
      if (!isInstalled) install();
      const earlier = raised;
      raised = undefined;
      if (earlier?.self === self && earlier.key === key) throw earlier.thrown;
      guard?.(self as C, key);
      if (typeof key === 'string') {
        const method = methods.get(key);
        if (method !== undefined) return method;
        if (Object.hasOwn(properties, key)) return properties[key]!(self as C);
      }
      if (spec.index !== undefined) return spec.index(self as C, key);
      throw badIndex(key);
    },
    setIndex(self, key, value) {
      if (!isInstalled) install();
      raised = undefined;
      write(self as C, key, value);
    },
    tostring: spec.tostring as UserdataType['tostring'],
    length: spec.length as UserdataType['length'],
    equals: spec.equals,
    less: spec.less,
    lessEqual: spec.lessEqual,
    arith: spec.arith,
    concat: spec.concat,
  };
  return type;
}

setPosixErrors({ number: errnoNumber, message: errnoMessage });
setErrorTranslator((thrown) =>
  thrown instanceof SysError ? new LuaError(errorObject(systemCategory, thrown.errno)) : undefined,
);

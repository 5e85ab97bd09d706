/**
 * `require`: ids → files, files → modules, each loaded once per VM. A module is its table of globals;
 * its body runs in a fiber of its own, for whose end the importer waits.
 *
 * Paths are strings of Lua, one byte a code unit, and so are the names of chunks made of them.
 */
import { readlinkSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Fiber } from '../fibers/fiber.ts';
import { currentFiber, type Scheduler } from '../fibers/scheduler.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { readLatin1 } from '../io/roomy.ts';
import { LuaError } from '../runtime/error.ts';
import {
  categoryError,
  codeError,
  coreError,
  LUA_ERRSYNTAX,
  luaCategory,
  systemCategory,
  systemError,
} from '../runtime/error-code.ts';
import { type LuaTable, setField } from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { checkModule, displayName, loadModule } from './load.ts';

/** `_FILE`: a path as Lua sees it. */
export class FilePath extends Userdata {
  readonly path: string;
  constructor(path: string) {
    super();
    this.path = path;
  }
}

/** What the loader needs of its VM. */
export interface ModuleHost {
  readonly scheduler: Scheduler;
  /** A core module, or undefined. */
  core(id: string): LuaValue;
  /** A fresh table of globals. */
  newGlobals(): LuaTable;
}

/** What an id was found to mean. */
export interface Found {
  readonly file: string;
  /** Directory that `/a/b` starts from. */
  readonly root: string;
  /** It has no children: its file is not an `init.lua` that was found as a directory. */
  readonly isLeaf: boolean;
}

/** A module of a VM that is written in Lua. The program's root is never a leaf. */
interface Module extends Found {
  readonly context: Context;
  readonly env: LuaTable;
  loading: boolean;
}

const NO_PATHS: ReadonlySet<string> = new Set();

const COMPONENT = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Texts of files, shared by all VMs of the process: a file is read once. */
const sources = new Map<string, string>();

/** Text that is there without a file. @param path  absolute */
export function presetSource(path: string, text: string): void {
  sources.set(path, text);
}

export type Context = 'main' | 'test' | 'worker' | '';

/** Makes modules of `.ttl` files. Set by modules/rdf_error_category.ts. */
export const turtleModules: { load: (text: string, file: string, id: string) => LuaValue } = {
  load: () => undefined,
};

export class ModuleLoader {
  private readonly vm: ModuleHost;
  private readonly context: Context;
  /** The program's, or the actor's; and all others. */
  private root: Module | undefined = undefined;
  private others: Map<string, Module> | undefined = undefined;
  readonly searchPath: readonly string[];

  constructor(vm: ModuleHost, context: Context, searchPath: readonly string[]) {
    this.vm = vm;
    this.context = context;
    this.searchPath = searchPath.flatMap((directory) => tryAbsolute(directory) ?? []);
  }

  /**
   * Start the program's root module.
   * @param shown  how messages name the file
   * @throws LuaError  it can't be read or compiled
   */
  start(file: string, shown = file): Fiber {
    let path: string;
    let source: string;
    try {
      path = absolute(file);
      source = readSource(file === '' ? file : path);
    } catch (fault) {
      throw new LuaError(`cannot open ${shown}: ${reasonOf(fault)}`);
    }
    const found = { file: path, root: dirname(path), isLeaf: false };
    return this.startModule(found, source, shown);
  }

  /**
   * Start the root module of an actor.
   * @throws LuaError  it can't be read or compiled
   */
  startActor(found: Found, id: string): Fiber {
    const isLeaf = basename(found.file) !== 'init.lua';
    return this.startModule({ ...found, isLeaf }, readModule(found.file, id), found.file);
  }

  /** The text of an actor's file, for a VM elsewhere. @throws LuaError  it can't be read */
  readActor(found: Found, id: string): string {
    return readModule(found.file, id);
  }

  /** The same, of one that can be compiled. @throws LuaError */
  readCheckedActor(found: Found, id: string): string {
    const source = readModule(found.file, id);
    compiling(id, () => checkModule(found.file, source, displayName(`@${found.file}`)));
    return source;
  }

  private startModule(found: Found, source: string, shown: string): Fiber {
    const module = this.create(found, this.context);
    const body = loadModule(found.file, source, displayName(`@${shown}`), module.env);
    this.root = module;
    return this.vm.scheduler.spawn(body, true);
  }

  private moduleOf(file: string): Module | undefined {
    return this.root?.file === file ? this.root : this.others?.get(file);
  }

  private create(found: Found, context: Context): Module {
    const env = this.vm.newGlobals();
    setField(env, '_FILE', new FilePath(found.file));
    setField(env, '_CONTEXT', context);
    return { ...found, context, env, loading: true };
  }

  /** What is to be done when fibers of modules that are being required end. */
  private ends: Map<Fiber, () => void> | undefined = undefined;

  /** The fiber of a module has ended. */
  ended(fiber: Fiber): void {
    const done = this.ends?.get(fiber);
    if (done === undefined) {
      if (this.root !== undefined) this.root.loading = false;
      return;
    }
    this.ends!.delete(fiber);
    done();
  }

  // ── require ──────────────────────────────────────────────────────────────────────────────────────

  /**
   * `require(id)` from the module whose `_FILE` is `importer`. Suspends until the module's body ends.
   */
  require(id: string, importer: LuaValue): LuaValue {
    if (!currentFiber().isModule) throw coreError('only_main_fiber_may_import');
    if (!/^[./]/.test(id)) {
      const core = this.vm.core(id);
      if (core !== undefined) return core;
    }
    const from = this.importerOf(importer);
    if (id.startsWith('/')) return this.requireFromRoot(id, from);
    return id.startsWith('.') ? this.requireRelative(id, from) : this.requireExternal(id);
  }

  /** The module whose `_FILE` this is. */
  private importerOf(file: LuaValue): Module {
    const from = file instanceof FilePath ? this.moduleOf(file.path) : undefined;
    if (from === undefined) throw coreError('current_module_not_known');
    return from;
  }

  /** Where imports of this module start. */
  rootOf(importer: LuaValue): { readonly root: string } {
    return this.importerOf(importer);
  }

  /**
   * `spawn_vm(id)`: the file of an actor.
   * @param preset  paths that it will find without a file
   */
  findActor(id: string, importer: LuaValue, preset: ReadonlySet<string> = NO_PATHS): Found {
    const from = this.importerOf(importer);
    if (id === '.') return from;
    const isFromRoot = id.startsWith('/');
    if (!isFromRoot && !id.startsWith('.')) throw coreError('invalid_module_name', { module: id });
    const { directory, name } = isFromRoot ? placeFromRoot(id, from) : placeBeside(id, from);
    const found = lookUp(directory, name, from.root, preset);
    if (found === undefined) throw coreError('module_not_found', { module: id });
    return found;
  }

  private requireFromRoot(id: string, from: Module): LuaValue {
    const { directory, name } = placeFromRoot(id, from);
    const found = lookUp(directory, name, from.root);
    if (found !== undefined) return this.load(found, id, '');
    const turtle = turtleFile(directory, name);
    if (turtle !== undefined) return this.loadTurtle(turtle, id);
    throw coreError('module_not_found', { module: id });
  }

  /** `name`: a package in one of the directories of the search path. */
  private requireExternal(id: string): LuaValue {
    if (!COMPONENT.test(id)) throw coreError('invalid_module_name', { module: id });
    for (const directory of this.searchPath) {
      const found = lookUp(directory, id, directory);
      if (found !== undefined) return this.load(found, id, '');
      const turtle = turtleFile(directory, id);
      if (turtle === undefined) continue;
      try {
        return this.loadTurtle(turtle, id);
      } catch (thrown) {
        // As if it were not there: the next directory may have a better one.
        if (!(thrown instanceof LuaError)) throw thrown;
      }
    }
    throw coreError('module_not_found', { module: id });
  }

  private requireRelative(id: string, from: Module): LuaValue {
    const { directory, name } = placeBeside(id, from);
    const found = lookUp(directory, name, from.root);
    if (found === undefined) throw coreError('module_not_found', { module: id });
    return this.load(found, id, from.context === 'test' ? 'test' : '');
  }

  // ── loading ──────────────────────────────────────────────────────────────────────────────────────

  private load(found: Found, id: string, context: Context): LuaValue {
    const known = this.moduleOf(found.file);
    if (known !== undefined) {
      if (known.loading) throw coreError('cyclic_import', { module: id });
      return known.env;
    }
    const importer = suspensionPoint(false);
    const source = readModule(found.file, id);
    const module = this.create(found, context);
    const body = loadModule(found.file, source, displayName(`@${found.file}`), module.env);
    this.others ??= new Map();
    this.others.set(found.file, module);
    const child = this.vm.scheduler.spawn(body, true);
    child.local = importer.locals;
    return suspend((waiter) => {
      waiter.waitsFor = child;
      this.ends ??= new Map();
      this.ends.set(child, () => {
        // After an error the module stays "in progress".
        if (child.error !== undefined) waiter.fail(child.error);
        else {
          module.loading = false;
          waiter.wake(module.env);
        }
        this.vm.scheduler.hurryLast();
      });
    }, false) as LuaValue;
  }

  private turtles: Map<string, LuaValue> | undefined = undefined;

  private loadTurtle(file: string, id: string): LuaValue {
    this.turtles ??= new Map();
    let module = this.turtles.get(file);
    if (module === undefined) {
      module = turtleModules.load(readModule(file, id), file, id);
      this.turtles.set(file, module);
    }
    return module;
  }
}

// ── ids ────────────────────────────────────────────────────────────────────────────────────────────

interface Place {
  readonly directory: string;
  readonly name: string;
}

/** `/a/b/name` */
function placeFromRoot(id: string, { root }: Module): Place {
  const names = id.slice(1).split('/');
  if (!names.every((name) => COMPONENT.test(name)))
    throw coreError('invalid_module_name', { module: id });
  return { directory: join(root, ...names.slice(0, -1)), name: names.at(-1)! };
}

/** `./name`, `../name`, `../../name` … */
function placeBeside(id: string, from: Module): Place {
  const parts = id.split('/');
  const name = parts.pop()!;
  const isChild = parts.length === 1 && parts[0] === '.';
  if (!COMPONENT.test(name) || !(isChild || parts.every((part) => part === '..'))) {
    throw coreError('invalid_module_name', { module: id });
  }
  if (isChild && from.isLeaf) throw coreError('leaf_cannot_import_child', { module: id });
  let directory = dirname(from.file);
  // The first `..` of a leaf is the directory that it is in.
  let up = isChild ? 0 : parts.length - (from.isLeaf ? 1 : 0);
  for (; up > 0; up--) {
    if (directory === from.root) throw coreError('root_cannot_import_parent', { module: id });
    directory = dirname(directory);
  }
  return { directory, name };
}

// ── files ──────────────────────────────────────────────────────────────────────────────────────────

/** As the system's calls take it: a path of Lua has a byte in each character. */
export const toSystem = (path: string): Buffer => Buffer.from(path, 'latin1');

/** Undefined for a path in a working directory that is no more: nothing is there. */
function tryAbsolute(path: string): string | undefined {
  try {
    return absolute(path);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fault;
  }
}

/** An absolute path without `.`, `..` and doubled slashes. @throws  there is no working directory any more */
function absolute(path: string): string {
  return isAbsolute(path) ? resolve(path) : resolve(currentDirectory(), path);
}

function currentDirectory(): string {
  const directory = process.cwd();
  // Node has it decoded: bytes that are no UTF-8 are lost.
  return directory.includes('\ufffd')
    ? readlinkSync('/proc/self/cwd', 'latin1' as BufferEncoding)
    : Buffer.from(directory, 'utf8').toString('latin1');
}

/** `name.lua`, then `name/init.lua`. */
function lookUp(
  directory: string,
  name: string,
  root: string,
  preset: ReadonlySet<string> = NO_PATHS,
): Found | undefined {
  const plain = join(directory, `${name}.lua`);
  if (preset.has(plain) || isFile(plain)) return { file: plain, root, isLeaf: true };
  const init = join(directory, name, 'init.lua');
  return preset.has(init) || isFile(init) ? { file: init, root, isLeaf: false } : undefined;
}

function turtleFile(directory: string, name: string): string | undefined {
  const file = join(directory, `${name}.ttl`);
  return isFile(file) ? file : undefined;
}

/** What can't be looked at is not there. */
function isFile(path: string): boolean {
  if (sources.has(path)) return true;
  try {
    return statSync(toSystem(path), { throwIfNoEntry: false })?.isFile() ?? false;
  } catch {
    return false;
  }
}

/** @throws  what Node throws */
function readSource(path: string): string {
  let text = sources.get(path);
  if (text === undefined) {
    text = readLatin1(toSystem(path));
    sources.set(path, text);
  }
  return text;
}

/** @throws LuaError  an error object of the system's category */
function readModule(path: string, id: string): string {
  try {
    return readSource(path);
  } catch (fault) {
    const { errno } = fault as NodeJS.ErrnoException;
    // More than a string can hold: only Node has an objection to that.
    if (errno === undefined) throw codeError('EFBIG', { module: id });
    throw systemError(-errno, { module: id });
  }
}

/** For the maker of an actor what Lua says of its text is an error object. @throws LuaError */
export function compiling<T>(id: string, compile: () => T): T {
  try {
    return compile();
  } catch (thrown) {
    if (!(thrown instanceof LuaError && typeof thrown.value === 'string')) throw thrown;
    throw categoryError(luaCategory, LUA_ERRSYNTAX, { module: id, message: thrown.value });
  }
}

/** Why Node could not read a file, in the words of the C library. */
export function reasonOf(fault: unknown): string {
  const { errno, code, message } = fault as NodeJS.ErrnoException;
  if (errno !== undefined) return systemCategory.describe(-errno);
  if (code === 'ERR_STRING_TOO_LONG') return 'File too large';
  return code === 'ERR_INVALID_ARG_VALUE' ? 'Invalid argument' : (code ?? message); // a NUL in the name
}

/**
 * `require`: ids → files, files → modules, each loaded once per VM. A module is its table of globals;
 * its body runs in a fiber of its own, for whose end the importer waits.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Fiber } from '../fibers/fiber.ts';
import { currentFiber, type Scheduler } from '../fibers/scheduler.ts';
import { suspend } from '../fibers/suspend.ts';
import { LuaError } from '../runtime/error.ts';
import { coreError } from '../runtime/error-code.ts';
import { type LuaTable, setField } from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { displayName, loadChunk } from './load.ts';


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

/** A module of a VM. */
interface Module {
  readonly file: string;
  /** Directory that `/a/b` starts from. */
  readonly root: string;
  /** Its file is `init.lua` reached as a directory, or the program's root: it has children. */
  readonly isLeaf: boolean;
  readonly env: LuaTable;
  loading: boolean;
}

const COMPONENT = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Texts of files, shared by all VMs of the process: a file is read once. */
const sources = new Map<string, string>();

export type Context = 'main' | 'test' | 'worker' | '';

export class ModuleLoader {
  private readonly vm: ModuleHost;
  private readonly context: Context;
  private readonly byFile = new Map<string, Module>();
  private readonly searchPath: readonly string[];

  constructor(vm: ModuleHost, context: Context, searchPath: readonly string[]) {
    this.vm = vm;
    this.context = context;
    this.searchPath = searchPath;
  }

  /**
   * Start the program's root module.
   * @param shown  how messages name the file
   * @throws LuaError  it can't be read or compiled
   */
  start(file: string, shown = file): Fiber {
    const path = resolve(file);
    const module = this.create(path, dirname(path), false, this.context);
    const body = loadChunk(readSource(path, shown), displayName(`@${shown}`), module.env);
    const fiber = this.vm.scheduler.spawn(body, true);
    this.onEnd(fiber, () => {
      module.loading = false;
    });
    return fiber;
  }

  private create(file: string, root: string, isLeaf: boolean, context: Context): Module {
    const env = this.vm.newGlobals();
    const module: Module = { file, root, isLeaf, env, loading: true };
    setField(env, '_FILE', new FilePath(file));
    setField(env, '_CONTEXT', context);
    this.byFile.set(file, module);
    return module;
  }

  private readonly ends = new Map<Fiber, (fiber: Fiber) => void>();
  private onEnd(fiber: Fiber, done: (fiber: Fiber) => void): void {
    this.ends.set(fiber, done);
    this.vm.scheduler.onEnd ??= (ended) => {
      const callback = this.ends.get(ended);
      if (callback === undefined) return;
      this.ends.delete(ended);
      callback(ended);
    };
  }

  /** Run `done` when a fiber that this loader has not started ends. */
  watch(fiber: Fiber, done: (fiber: Fiber) => void): void {
    const before = this.ends.get(fiber);
    this.onEnd(fiber, (ended) => {
      before?.(ended);
      done(ended);
    });
  }

  /**
   * `require(id)` from the module whose `_FILE` is `importer`. Suspends until the module's body ends.
   */
  require(id: string, importer: LuaValue): LuaValue {
    const fiber = currentFiber();
    if (!fiber.isModule) throw coreError('only_main_fiber_may_import');
    if (!/^[./]/.test(id)) {
      const core = this.vm.core(id);
      if (core !== undefined) return core;
    }
    const from = importer instanceof FilePath ? this.byFile.get(importer.path) : undefined;
    if (from === undefined) throw coreError('current_module_not_known');
    const found = this.resolve(id, from);
    const known = this.byFile.get(found.file);
    if (known !== undefined) {
      if (known.loading) throw coreError('cyclic_import');
      return known.env;
    }
    const relative = id.startsWith('.');
    const context = this.context === 'test' && relative ? 'test' : '';
    const module = this.create(found.file, found.root, found.isLeaf, context);
    const body = loadChunk(readSource(found.file, found.file), displayName(`@${found.file}`), module.env);
    const child = this.vm.scheduler.spawn(body, true);
    child.local = fiber.locals;
    return suspend((waiter) => {
      waiter.waitsFor = child;
      this.onEnd(child, (ended) => {
        // After an error the module stays "in progress".
        if (ended.error !== undefined) waiter.fail(ended.error);
        else {
          module.loading = false;
          waiter.wake(module.env);
        }
      });
    }, false) as LuaValue;
  }

  /** The file of an id. @throws the core errors of module ids */
  private resolve(id: string, from: Module): { file: string; root: string; isLeaf: boolean } {
    const parts = id.split('/');
    const invalid = (): LuaError => coreError('invalid_module_name', { module: id });
    const missing = (): LuaError => coreError('module_not_found', { module: id });
    if (id.startsWith('/')) {
      const names = parts.slice(1);
      if (names.length === 0 || !names.every((p) => COMPONENT.test(p))) throw invalid();
      const found = lookUp(join(from.root, ...names.slice(0, -1)), names.at(-1)!);
      if (found === undefined) throw missing();
      return { ...found, root: from.root };
    }
    const last = parts.at(-1)!;
    if (!COMPONENT.test(last)) throw invalid();
    if (!id.startsWith('.')) {
      if (parts.length !== 1) throw invalid();
      for (const directory of this.searchPath) {
        const found = lookUp(directory, id);
        if (found !== undefined) return { ...found, root: directory };
      }
      throw missing();
    }
    let directory = dirname(from.file);
    const dots = parts.slice(0, -1);
    if (dots.length === 1 && dots[0] === '.') {
      if (from.isLeaf) throw coreError('leaf_cannot_import_child', { module: id });
    } else {
      if (!dots.every((p) => p === '..')) throw invalid();
      for (let up = from.isLeaf ? 1 : 0; up < dots.length; up++) {
        if (directory === from.root) throw coreError('root_cannot_import_parent', { module: id });
        directory = dirname(directory);
      }
    }
    const found = lookUp(directory, last);
    if (found === undefined) throw missing();
    return { ...found, root: from.root };
  }
}

/** `name.lua`, then `name/init.lua`. */
function lookUp(directory: string, name: string): { file: string; isLeaf: boolean } | undefined {
  const plain = join(directory, `${name}.lua`);
  if (isFile(plain)) return { file: plain, isLeaf: true };
  const init = join(directory, name, 'init.lua');
  return isFile(init) ? { file: init, isLeaf: false } : undefined;
}

function isFile(path: string): boolean {
  if (sources.has(path)) return true;
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** @param shown  as the message names it. @throws LuaError */
function readSource(path: string, shown: string): string {
  let text = sources.get(path);
  if (text === undefined) {
    try {
      text = readFileSync(path, 'latin1');
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      const reasons: Record<string, string> = {
        ENOENT: 'No such file or directory', EISDIR: 'Is a directory', EACCES: 'Permission denied',
      };
      throw new LuaError(`cannot open ${shown}: ${reasons[code ?? ''] ?? code ?? 'read error'}`);
    }
    sources.set(path, text);
  }
  return text;
}

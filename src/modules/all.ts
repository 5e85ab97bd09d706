/**
 * The table of modules: what a module's globals hold, and what `require` finds without a file.
 *
 * Start-up is part of the product: in the bundle, modules marked `when it is required` are evaluated then
 * (scripts/lazy-modules.ts). The others have classes that programs may meet without requiring them.
 */
import { beforeDirectoryHandles } from '../actors/directory-handle.ts';
import type { Library, Vm } from '../actors/vm.ts';
import { argTypeError } from '../runtime/check.ts';
import { LuaTable, rawGetString, setField, setFields } from '../runtime/table.ts';
import type { LuaValue } from '../runtime/value.ts';
import { asioError } from './asio_error.ts'; // when it is required
import { barrier } from './barrier.ts'; // when it is required
import { baseFunctions } from './base.ts';
import { bit } from './bit.ts';
import { byteSpan } from './byte_span.ts';
import { channel } from './channel.ts'; // when it is required
import { conditionVariable } from './condition_variable.ts'; // when it is required
import { coroutine } from './coroutine.ts';
import { type LuaModule, type MemberTable, memberValue } from './define.ts';
import { fiberGlobals } from './fiber.ts';
import { fiberGroup } from './fiber_group.ts'; // when it is required
import { file } from './file.ts'; // when it is required
import './file_descriptor.ts';
import { filesystem } from './filesystem.ts'; // when it is required
import './filesystem/path.ts';
import { format } from './format.ts';
import { future } from './future.ts'; // when it is required
import { genericError } from './generic_error.ts';
import { inbox } from './inbox.ts'; // when it is required
import { ip } from './ip.ts'; // when it is required
import { jit, MEMBERS, refuseFfi } from './jit.ts';
import { json } from './json.ts'; // when it is required
import './linux_capabilities.ts';
import { math } from './math.ts';
import { mutex } from './mutex.ts'; // when it is required
import { pipe } from './pipe.ts'; // when it is required
import './rdf_error_category.ts';
import { rateLimiter } from './rate_limiter.ts'; // when it is required
import { recursiveMutex } from './recursive_mutex.ts'; // when it is required
import { regex } from './regex.ts'; // when it is required
import { seccomp } from './seccomp.ts'; // when it is required
import { select } from './select.ts'; // when it is required
import { semaphore } from './semaphore.ts'; // when it is required
import { serialPort } from './serial_port.ts'; // when it is required
import { defineChannels, spawnContextThreads, spawnVm } from './spawn_vm.ts'; // when it is called
import { stream } from './stream.ts'; // when it is required
import { string } from './string.ts';
import { system } from './system.ts'; // when it is required
import { table, unpack } from './table.ts';
import { time } from './time.ts'; // when it is required
import { timeout } from './timeout.ts'; // when it is required
import { tls } from './tls.ts'; // when it is required
import { unix } from './unix.ts'; // when it is required
import { waitGroup } from './wait_group.ts'; // when it is required

// What they are to Lua is part of this module, which evaluates it.
beforeDirectoryHandles(() => filesystem.create());

/** Tables that every module finds among its globals; one of each per VM. */
const libraries: readonly LuaModule[] = [bit, coroutine, jit, math, string, table];
const libraryByName = new Map(libraries.map((module) => [module.name, module]));

/** Modules for `require`. */
const core: readonly LuaModule[] = [
  asioError,
  barrier,
  byteSpan,
  channel,
  conditionVariable,
  fiberGroup,
  file,
  filesystem,
  future,
  genericError,
  inbox,
  ip,
  json,
  mutex,
  pipe,
  rateLimiter,
  recursiveMutex,
  regex,
  seccomp,
  select,
  semaphore,
  serialPort,
  stream,
  system,
  time,
  timeout,
  tls,
  unix,
  waitGroup,
];
const coreById = new Map(core.map((module) => [module.name, module]));

function libraryTable(vm: Vm, module: LuaModule): LuaTable {
  const key = `global ${module.name}`;
  let t = vm.coreModules.get(key);
  if (t === undefined) {
    t = module.create(vm) as LuaTable;
    vm.coreModules.set(key, t);
  }
  return t as LuaTable;
}

export const library: Library = {
  globals(vm: Vm, env: LuaTable): void {
    const members: Record<string, MemberTable[string]> = {
      ...baseFunctions(env),
      ...fiberGlobals,
      format,
      unpack,
    };
    for (const module of libraries) members[module.name] = libraryTable(vm, module);
    members.byte_span = vm.core('byte_span');
    members.require = (id: LuaValue) => {
      if (typeof id !== 'string') argTypeError(id, 1, 'require', 'string');
      return vm.modules.require(id, rawGetString(env, '_FILE'));
    };
    members.spawn_vm = (options: LuaValue) => spawnVm(vm, options, rawGetString(env, '_FILE'));
    members.spawn_context_threads = (count: LuaValue) => spawnContextThreads(vm, count);
    // Set later: then they have their places already.
    Object.assign(members, { _G: undefined, _FILE: undefined, _CONTEXT: undefined });
    setFields(env, Object.keys(members), Object.values(members).map(memberValue));
  },
  core(vm, id) {
    if (id === 'ffi') return refuseFfi();
    const library = libraryByName.get(id);
    if (library !== undefined) return libraryTable(vm, library);
    const member = MEMBERS[id];
    // What is received may be a channel.
    if (id === 'inbox') defineChannels();
    if (member === undefined) return coreById.get(id)?.create(vm);
    const [owner, name] = member;
    return rawGetString(libraryTable(vm, libraryByName.get(owner)!), name);
  },
  stringMeta(vm: Vm): LuaTable {
    const meta = new LuaTable();
    setField(meta, '__index', libraryTable(vm, string));
    return meta;
  },
};

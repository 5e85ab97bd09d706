/**
 * The table of modules: what a module's globals hold, and what `require` finds without a file.
 *
 * Start-up is part of the product: in the bundle, modules marked `when it is required` or `when it is called` are
 * evaluated then (scripts/lazy-modules.ts).
 */
import { beforeDirectoryHandles } from '../actors/directory-handle.ts';
import { FileDescriptor } from '../actors/file-descriptor.ts';
import { FilePath, turtleModules } from '../actors/modules.ts';
import { currentVm, type Library, type Vm } from '../actors/vm.ts';
import { LinuxCapabilities } from '../runtime/capabilities.ts';
import { argTypeError } from '../runtime/check.ts';
import { LuaTable, rawGetString, setField } from '../runtime/table.ts';
import type { LuaValue } from '../runtime/value.ts';
import { asioError } from './asio_error.ts'; // when it is required
import { barrier } from './barrier.ts'; // when it is required
import { Globals } from './base/environment.ts';
import { baseFunctions, NewModule } from './base.ts';
import { bit } from './bit.ts';
import { byteSpan } from './byte_span.ts';
import { channel } from './channel.ts'; // when it is required
import { conditionVariable } from './condition_variable.ts'; // when it is required
import { coroutine } from './coroutine.ts';
import { type LuaModule, luaType, PerVm, Template } from './define.ts';
import { fiberGlobals } from './fiber.ts';
import { fiberGroup } from './fiber_group.ts'; // when it is required
import { file } from './file.ts'; // when it is required
import { fileDescriptorType } from './file_descriptor.ts'; // when it is called
import { pathType } from './filesystem/path.ts'; // when it is called
import { filesystem } from './filesystem.ts'; // when it is required
import { format } from './format.ts'; // when it is called
import { future } from './future.ts'; // when it is required
import { genericError } from './generic_error.ts';
import { inbox } from './inbox.ts'; // when it is required
import { ip } from './ip.ts'; // when it is required
import { jit, MEMBERS, refuseFfi } from './jit.ts';
import { json } from './json.ts'; // when it is required
import { libcService } from './libc_service.ts'; // when it is required
import { capabilitiesType } from './linux_capabilities.ts'; // when it is called
import { math } from './math.ts';
import { mutex } from './mutex.ts'; // when it is required
import { pipe } from './pipe.ts'; // when it is required
import { rateLimiter } from './rate_limiter.ts'; // when it is required
import { loadTurtle } from './rdf_error_category.ts'; // when it is called
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

// What these are to Lua is part of modules, which are evaluated with the first one.
beforeDirectoryHandles(() => filesystem.create());
luaType('file_descriptor', FileDescriptor, fileDescriptorType);
luaType('filesystem.path', FilePath, pathType);
luaType('linux_capabilities', LinuxCapabilities, capabilitiesType);
turtleModules.load = loadTurtle;

/** Tables that every module finds among its globals; one of each per VM. */
const libraries: readonly LuaModule[] = [bit, byteSpan, coroutine, jit, math, string, table];
const libraryAt = new Map(libraries.map((module, i) => [module.name, i]));
const STRING = libraryAt.get('string')!;

/** Modules for `require`. */
const core: readonly LuaModule[] = [
  asioError,
  barrier,
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
  libcService,
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

const fileOf = ({ module }: Globals): LuaValue => rawGetString(module, '_FILE');

const globals = new Template({
  ...baseFunctions,
  ...fiberGlobals,
  format,
  unpack,
  ...Object.fromEntries(
    libraries.map(({ name }, i) => [
      name,
      new PerVm(({ globals }: NewModule) => globals.vm.libraries[i]),
    ]),
  ),
  require: new PerVm(({ globals }: NewModule) => (id: LuaValue) => {
    if (typeof id !== 'string') argTypeError(id, 1, 'require', 'string');
    return globals.vm.modules.require(id, fileOf(globals));
  }),
  spawn_vm: new PerVm(
    ({ globals }: NewModule) =>
      (options: LuaValue) =>
        spawnVm(globals.vm, options, fileOf(globals)),
  ),
  spawn_context_threads: (count: LuaValue) => spawnContextThreads(currentVm(), count),
  // Set later: they have their places already.
  _G: undefined,
  _FILE: undefined,
  _CONTEXT: undefined,
});

export const library: Library = {
  tables: (vm) => libraries.map((module) => module.create(vm) as LuaTable),
  globals(vm) {
    const its = new Globals(vm);
    its.module = globals.make(new NewModule(its));
    return its.module;
  },
  core(vm, id) {
    if (id === 'ffi') return refuseFfi();
    const at = libraryAt.get(id);
    if (at !== undefined) return vm.libraries[at];
    const member = MEMBERS[id];
    // What is received may be a channel.
    if (id === 'inbox') defineChannels();
    if (member === undefined) return coreById.get(id)?.create(vm);
    const [owner, name] = member;
    return rawGetString(vm.libraries[libraryAt.get(owner)!]!, name);
  },
  stringMeta(vm: Vm): LuaTable {
    const meta = new LuaTable();
    setField(meta, '__index', vm.libraries[STRING]);
    return meta;
  },
};

/**
 * init.script: PUC Lua 5.1 in WebAssembly (native/init-script/), with the system calls of a container's
 * setting-up.
 *
 * A script may hold secrets, and a JavaScript heap can't be wiped. So its whole memory is one linear
 * memory of 1 MiB, on which the addon does the system calls: what comes here are numbers of calls, addresses
 * and results, never a byte of a script's. Afterwards the memory and the stack are zeroed.
 */
import { getStatusFlags, O_NONBLOCK, setCloseOnExec, setStatusFlags } from '../sys/fd.ts';
import {
  initScriptBegin,
  initScriptCall,
  initScriptDeadline,
  initScriptModule,
  initScriptWipe,
} from '../sys/init-script.ts';
import type { Fd } from '../sys/native.ts';

/** The part of WebAssembly's JavaScript API that is used here; without lib.dom no types know it. */
interface WebAssemblyApi {
  Module: new (bytes: ArrayBuffer) => CompiledInitScript;
  Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Instance: new (
    module: CompiledInitScript,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: LuaExports };
}
/** Asked when it is used: with --jitless there is none. */
const api = (): WebAssemblyApi =>
  (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** A WebAssembly.Module, compiled once and instantiated for each script. */
export interface CompiledInitScript {
  readonly [Symbol.toStringTag]: string;
}

/** The module's exports; `at`: an address in the linear memory. */
interface LuaExports {
  __wasm_call_ctors(): void;
  readonly __stack_pointer: { value: number };
  reserve(length: number): number;
  protected_call(f: number, state: number, argument: number): void;
  run(at: number, length: number, arg: Fd): void;
  report_trap(stackOverflow: number): never;
}

const PAGES = 16; // of 64 KiB: 1 MiB, text of the script included

/** What a Lua error unwinds by. It carries nothing: the error object stays with Lua. */
const RAISED = Object.freeze({});

/** Frames between the script's stack and the wiping, of at least 40 bytes each. */
const DEPTH = 200;

/** Makes V8 compile what every script uses, which it does function by function when they are called. */
const WARM_UP = `
errexit = false
C.read(-1, 1)
C.open('', C.O_RDONLY)
for i = 1, 3 do pcall(error, ('%d'):format(i) .. tostring(i):upper():sub(1):gsub('.', '%0')) end
for name in pairs({x = mode(1, 1, 1)}) do bit.bor(#name, 1) end
pcall(function() return C.no_such_name end)
`;

/** Compile the module: once, in the process that is forked for each script. */
export function compileInitScript(): CompiledInitScript {
  const module = new (api().Module)(initScriptModule());
  runInitScript(
    module,
    Uint8Array.from(WARM_UP, (c) => c.charCodeAt(0)),
    undefined,
  );
  return module;
}

/**
 * Run a script to its end, and wipe what it leaves. Blocks. One that fails (by an error, by a call that
 * fails while `errexit`, or by a trap) ends the process with status 1 and a line on stderr; so may the
 * script itself (`os.exit`, `C.execve`).
 * @param script  its text, which the caller wipes if it is a secret
 * @param arg     the global `arg`; undefined: nil. Its open file description is made to block
 * @param timeout  milliseconds, > 0, after which the script fails, too; undefined: it may take as long as it likes
 */
export function runInitScript(
  module: CompiledInitScript,
  script: Uint8Array,
  arg: Fd | undefined,
  timeout?: number,
): void {
  if (timeout !== undefined) initScriptDeadline(Math.min(Math.ceil(timeout), 0x7fffffff));
  executeInitScript(module, script, arg);
  if (timeout !== undefined) initScriptDeadline(0);
  initScriptWipe();
}

/** `runInitScript` without the wiping: for the test that shows what that is for. */
export function executeInitScript(
  module: CompiledInitScript,
  script: Uint8Array,
  arg: Fd | undefined,
): void {
  inheritStandardStreams();
  // Descriptors of programs don't block; those of scripts do.
  if (arg !== undefined) setStatusFlags(arg, getStatusFlags(arg) & ~O_NONBLOCK);
  descend(DEPTH, () => execute(module, script, arg ?? -1));
}

/** What the script executes has the standard streams; Node marks them as to be closed. */
function inheritStandardStreams(): void {
  for (const fd of [0, 1, 2]) {
    try {
      setCloseOnExec(fd, false);
    } catch {
      // it is closed
    }
  }
}

/** Call `run` from deeper in the stack: the wiping has frames of its own, which must not lie where the script's were. */
function descend(levels: number, run: () => void): void {
  if (levels > 0) descend(levels - 1, run);
  else run();
}

function execute(module: CompiledInitScript, script: Uint8Array, arg: Fd): void {
  const { Memory, Instance } = api();
  const memory = new Memory({ initial: PAGES, maximum: PAGES });
  initScriptBegin(memory.buffer);
  const protect = (f: number, state: number, argument: number): number => {
    const stack = lua.__stack_pointer.value;
    try {
      lua.protected_call(f, state, argument);
      return 0;
    } catch (thrown) {
      if (thrown !== RAISED) throw thrown; // a trap, which Lua's state may not have survived
      lua.__stack_pointer.value = stack;
      return 1;
    }
  };
  const raise = (): never => {
    throw RAISED;
  };
  const { exports: lua } = new Instance(module, {
    env: { memory },
    host: { call: initScriptCall(), protect, raise },
  });
  lua.__wasm_call_ctors();
  const stack = lua.__stack_pointer.value;
  try {
    const at = lua.reserve(script.length);
    if (at !== 0) new Uint8Array(memory.buffer, at, script.length).set(script);
    lua.run(at, script.length, arg);
  } catch (trap) {
    lua.__stack_pointer.value = stack;
    lua.report_trap(trap instanceof RangeError ? 1 : 0);
  }
}

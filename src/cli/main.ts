/** `perilune`: options in, exit code out. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { shrinkWhenIdle } from '../actors/collect.ts';
import { describeFibers } from '../actors/fiber-dump.ts';
import { debugFrom, inspection } from '../actors/inspection.ts';
import {
  compilePatiently,
  displayName,
  loadChunk,
  showReadable,
  useCompileCache,
} from '../actors/load.ts';
import { ModuleLoader, toSystem } from '../actors/modules.ts';
import { mainPool, setArguments } from '../actors/program.ts';
import { settle } from '../actors/settle.ts';
import { useTestSchedule } from '../actors/test-schedule.ts';
import { isSystemFault, reasonOf, startTrace, tracing } from '../actors/trace.ts';
import { Vm, type VmHost } from '../actors/vm.ts';
import { filesAreUnderWay } from '../io/file.ts';
import { onceReaped } from '../io/reaping.ts';
import { library } from '../modules/all.ts';
import { describeBug, type LuaError, toLuaError } from '../runtime/error.ts';
import { tostring } from '../runtime/ops.ts';
import { state } from '../runtime/state.ts';
import { LuaTable } from '../runtime/table.ts';
import { exitNow } from '../sys/exit.ts';
import { type Inspect, type Invocation, parseArguments, USAGE } from './arguments.ts';
import { profileCpu } from './cpu-profile.ts'; // when it is called
import { drawTrace } from './draw-trace.ts'; // when it is called
import {
  cacheDirectory,
  commandArguments,
  commandName,
  reportSettings,
  searchPath,
  WARNING,
} from './environment.ts';
import { reportTo, reportTrace, StandardOutput, writeError } from './output.ts';

declare const PERILUNE_VERSION: string | undefined;
/** A hash of the sources; undefined where they are run as they are, and may change. */
declare const PERILUNE_BUILD: string | undefined;

/** sysexits(3): an internal software error. */
const EX_SOFTWARE = 70;

function main(argv: readonly string[]): void {
  const invocation = parseArguments(argv);
  switch (invocation.do) {
    case 'help':
      process.stdout.write(USAGE);
      return;
    case 'version':
      process.stdout.write(
        `Perilune ${typeof PERILUNE_VERSION === 'string' ? PERILUNE_VERSION : 'development'}\nLua 5.1 (LuaJIT 2.1 dialect)\nNode ${process.version}, V8 ${process.versions.v8}\n`,
      );
      return;
    case 'fail':
      writeError(`perilune: ${invocation.message}\n`);
      process.exitCode = 2;
      return;
    case 'compile':
      printCompiled(invocation.file);
      return;
    case 'trace':
      drawTrace(invocation);
      return;
    case 'run':
      run(invocation);
  }
}

function run(invocation: Extract<Invocation, { do: 'run' }>): void {
  if (invocation.inspect !== undefined && !openInspector(invocation.inspect)) return;
  const { profile } = invocation;
  if (profile !== undefined)
    profileCpu(profile, (why) => writeError(`perilune: no profile was written: ${why}\n`));
  // Editors put Node's own options into the environment.
  if (process.env.NODE_OPTIONS && !inspection.debugs && nodeInspector().url() !== undefined)
    debugFrom(false);
  state.suspendAll = invocation.suspendAll;
  const output = new StandardOutput();
  const finish = (code: number): never => {
    output.flush();
    // Node would wait for libuv's pool, and the pool for a disk that may never answer.
    if (filesAreUnderWay()) Object.assign(process, { reallyExit: exitNow });
    process.exit(code);
  };
  const settings = reportSettings();
  if (settings.level >= WARNING) {
    for (const text of settings.warnings) writeError(`<${WARNING}>perilune: ${text}\n`);
  }
  const trace = openTrace(invocation);
  const host: VmHost = {
    report: reportTo(output, settings),
    ended: (ended) => {
      if (ended.isMaster) process.exitCode = ended.exitCode;
      output.flush();
      // The last one: Node would only take longer to find nothing else to do.
      if (ended.siblings.size === 0) onceReaped(() => finish(Number(process.exitCode ?? 0)));
    },
    bug: (thrown) => {
      output.flush();
      reportBug(thrown);
      finish(EX_SOFTWARE);
    },
    print: (text) => output.write(text),
    flush: () => output.flush(),
  };
  process.on('uncaughtException', host.bug);
  if (trace !== undefined) process.on('exit', (code) => trace.end(code));
  const vm = new Vm(library, host);
  vm.modules = new ModuleLoader(vm, invocation.context, searchPath());
  mainPool.isAlone = invocation.concurrencyHint === '1';
  setArguments([commandName(), invocation.file, ...invocation.args]);
  if (invocation.testSchedule !== undefined) useTestSchedule(vm, invocation.testSchedule);
  installFiberDump(vm, invocation.fiberDump, host);
  compilePatiently();
  if (invocation.cache && typeof PERILUNE_BUILD === 'string') {
    const base = cacheDirectory();
    if (base !== undefined) useCompileCache(base, PERILUNE_BUILD);
  }
  process.on('beforeExit', () => settle(siblings));
  const { siblings } = vm;
  try {
    vm.start(rootFile(invocation.file));
  } catch (thrown) {
    writeError(`Error starting the lua VM: ${messageOf(toLuaError(thrown))}\n`);
    process.exitCode = 1;
    vm.forget();
  }
}

/** `--trace-actors`: without the file there is no program. */
function openTrace({ trace, file }: { trace: string | undefined; file: string }) {
  if (trace === undefined) return undefined;
  tracing.failed = reportTrace;
  try {
    return startTrace(trace, file);
  } catch (fault) {
    writeError(`perilune: cannot write a trace to ${trace}: ${reasonOf(fault)}\n`);
    process.exit(1);
  }
}

const nodeInspector = (): typeof import('node:inspector') =>
  process.getBuiltinModule('node:inspector');

/** @returns false: nobody can listen there */
function openInspector({ host, port, then }: Inspect): boolean {
  const inspector = nodeInspector();
  if (inspector.url() === undefined) inspector.open(port, host);
  if (inspector.url() === undefined) {
    process.exitCode = 1; // Node has said why
    return false;
  }
  debugFrom(then === 'break');
  if (then !== 'run') inspector.waitForDebugger();
  return true;
}

/** A program that is over at once has nothing to give back. */
const SHRINK_AFTER = 50;

/** SIGUSR1 prints all fibers; with `--fiber-dump` so does Ctrl-C, and an end that leaves some. */
function installFiberDump(vm: Vm, always: boolean, host: VmHost): void {
  const dump = (): void => {
    for (const { id, scheduler } of vm.siblings) host.report(describeFibers(id, scheduler));
  };
  if (always) {
    process.on('SIGINT', () => {
      dump();
      process.exit(130);
    });
    process.on('beforeExit', () => {
      if ([...vm.siblings].some(({ scheduler }) => !scheduler.alive.isEmpty)) dump();
    });
  }
  // At once: as long as nobody listens it makes Node open a port for a debugger.
  process.on('SIGUSR1', dump);
  setTimeout(shrinkWhenIdle, SHRINK_AFTER).unref();
}

function messageOf(error: LuaError): string {
  const text = tostring(error.value);
  return typeof text === 'string' ? text : '';
}

/** A directory stands for its `init.lua`. */
function rootFile(file: string): string {
  let isDirectory = false;
  try {
    isDirectory = statSync(toSystem(file), { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    // whoever opens it will say why it can't be
  }
  return isDirectory ? join(file, 'init.lua') : file;
}

/** The JavaScript that a file of Lua becomes, before anything of it has been suspended. */
function printCompiled(argument: string): void {
  const file = rootFile(argument);
  try {
    const source = readFileSync(toSystem(file), 'latin1');
    loadChunk(source, displayName(`@${file}`), new LuaTable()); // words what is wrong with it
    const output = new StandardOutput();
    output.write(`${showReadable(source, displayName(`@${file}`))}\n`);
    output.flush();
  } catch (thrown) {
    const message = isSystemFault(thrown)
      ? `cannot open ${file}: ${thrown.code}`
      : messageOf(toLuaError(thrown));
    writeError(`perilune: ${message}\n`);
    process.exitCode = 1;
  }
}

function reportBug(thrown: unknown): void {
  writeError(
    `perilune: internal error; this is a bug in Perilune, not in your program.\n${describeBug(thrown)}\n` +
      'Please report it with the program that caused it, and what `perilune --version` prints.\n',
  );
}

main(commandArguments());

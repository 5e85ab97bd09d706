/**
 * The supervisor of subprocess actors, and, in each child that it forks, the actor. It is started with one socket
 * and nothing else: native/supervisor.c.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { inletsOf } from '../actors/inlets.ts';
import { ModuleLoader, presetSource } from '../actors/modules.ts';
import { setArguments } from '../actors/program.ts';
import { settle } from '../actors/settle.ts';
import type { ProcessTask } from '../actors/subprocess.ts';
import { startProcessTrace, type Tracer } from '../actors/trace.ts';
import { Vm, type VmHost } from '../actors/vm.ts';
import { takeDescriptor } from '../io/packet.ts';
import { onceReaped } from '../io/reaping.ts';
import { library } from '../modules/all.ts';
import { describeBug, toLuaError } from '../runtime/error.ts';
import { tostring } from '../runtime/ops.ts';
import { state } from '../runtime/state.ts';
import { computeFilter, noteInheritedMemory } from '../sandbox/apply.ts';
import {
  becomeActor,
  exitNow,
  getpid,
  INBOX_FD,
  setEnvironment,
  supervise,
  type Task,
} from '../sandbox/child.ts';
import {
  type CompiledInitScript,
  compileInitScript,
  runInitScript,
} from '../sandbox/init-script.ts';
import { searchPath } from './environment.ts';
import { ignoreBrokenPipes, StandardOutput, writeError } from './output.ts';

/** sysexits(3): an internal software error. */
const EX_SOFTWARE = 70;

/** What most actors use, so that children find it loaded and compiled. */
const WARM_UP = `
  local inbox = require 'inbox'
  if _CONTEXT == 'worker' then
    inbox:receive().from:send(1)
    return
  end
  local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
  local t = {}
  for i = 1, 20 do t[i] = ('%d:%s'):format(fib(i % 10), tostring(i)) end
  table.sort(t, function(a, b) return a < b end)
  local s = table.concat(t, ','):gsub('%d+', function(s) return s .. 'x' end)
  local co = coroutine.wrap(function(...) for i = 1, select('#', ...) do coroutine.yield(i) end end)
  co(1, 2, 3)
  spawn(function() pcall(error, {1}) this_fiber.yield() end):join()
  spawn_vm '.':send {from = inbox}
  inbox:receive()
`;

/** Run a program of ours to its end, without ever turning the event loop. */
function warmUp(then: () => void): void {
  const nothing: VmHost = {
    report() {},
    ended: ({ siblings }) => {
      if (siblings.size === 0) queueMicrotask(then);
    },
    bug: fail,
    print() {},
    flush() {},
  };
  const vm = new Vm(library, nothing);
  const file = '/warm-up/init.lua';
  presetSource(file, WARM_UP);
  vm.modules = new ModuleLoader(vm, 'main', []);
  vm.start(file);
}

/** Bytes of private memory that can be written: proc_pid_statm(5). */
function dataSize(): number {
  return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[5]) * 4096;
}

function fail(thrown: unknown): never {
  writeError(`perilune: internal error in the process of an actor\n${describeBug(thrown)}\n`);
  return exitNow(EX_SOFTWARE);
}

function main(): void {
  try {
    const task = supervise(); // returns in children only
    ignoreBrokenPipes();
    const todo = readTask(task);
    becomeActor(task, () => runInit(task, todo), todo.walls);
    runActor(todo);
  } catch (thrown) {
    fail(thrown);
  }
}

/** Compiled before any fork. Not there with --jitless: then there is no WebAssembly. */
let initScriptModule: CompiledInitScript | undefined;

function runInit({ arg }: Task, { init, initTimeout }: ProcessTask): void {
  if (init === undefined) return;
  const script = Buffer.from(init, 'latin1');
  runInitScript(initScriptModule!, script, arg < 0 ? undefined : arg, initTimeout);
}

function readTask({ body, bodyFile }: Task): ProcessTask {
  const bytes = bodyFile < 0 ? body : readFileSync(bodyFile);
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as ProcessTask;
}

/** For a trace: what goes on here is said through a socket, which comes before all messages. */
function beginTrace({ trace }: ProcessTask): Tracer | undefined {
  const fd = trace && takeDescriptor(INBOX_FD);
  if (trace === undefined || fd === undefined) return undefined;
  const tracer = startProcessTrace(trace, fd);
  process.on('exit', (code) => tracer.end(code));
  return tracer;
}

function runActor(task: ProcessTask): void {
  const output = new StandardOutput();
  // Node's own end waits for threads that the fork has left behind.
  Object.assign(process, { reallyExit: exitNow });
  const finish = (code: number): never => {
    output.flush();
    process.exit(code);
  };
  const host: VmHost = {
    report: (text) => {
      output.flush();
      writeError(text);
    },
    ended: (ended) => {
      if (ended.isMaster) process.exitCode = ended.exitCode;
      output.flush();
      if (ended.siblings.size === 0) onceReaped(() => finish(Number(process.exitCode ?? 0)));
    },
    bug: (thrown) => {
      output.flush();
      fail(thrown);
    },
    print: (text) => output.write(text),
    flush: () => output.flush(),
  };
  process.on('uncaughtException', host.bug);
  Object.defineProperty(process, 'pid', { value: getpid() });
  state.suspendAll = task.suspendAll;
  const variables = task.environment.map(([name, value]) => `${name}=${value}\0`).join('');
  setEnvironment(Buffer.from(variables, 'latin1'));
  setArguments(['', '']);

  const trace = beginTrace(task);
  const vm = new Vm(library, host);
  if (trace !== undefined) vm.traceAs(trace.newActor(task.file));
  vm.modules = new ModuleLoader(vm, 'worker', searchPath());
  const { siblings } = vm;
  process.on('beforeExit', () => settle(siblings));
  for (const [path, text] of task.sources) presetSource(path, text);
  inletsOf(vm.mailbox)
    .add(INBOX_FD)
    .traceAs(0, task.trace?.via ?? 0);
  const { file, id } = task;
  const root = task.root === '' ? dirname(file) : task.root;
  try {
    vm.run(vm.modules.startActor({ file, root, isLeaf: true }, id));
  } catch (thrown) {
    state.suspendAll = false;
    const text = tostring(toLuaError(thrown).value);
    writeError(`Error starting the lua VM: ${typeof text === 'string' ? text : ''}\n`);
    finish(1);
  }
}

warmUp(() => {
  const jitless = process.execArgv.includes('--jitless');
  computeFilter(jitless);
  noteInheritedMemory(dataSize());
  if (!jitless) initScriptModule = compileInitScript();
  main();
});

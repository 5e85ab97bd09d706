/**
 * The supervisor of subprocess actors, and, in each child that it forks, the actor. It is started with one socket
 * and nothing else: native/supervisor.c.
 */
import { closeSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promoteAll } from '../actors/collect.ts';
import { inletsOf } from '../actors/inlets.ts';
import { acceptCode, compiledParts, forgetModules, presetModule } from '../actors/load.ts';
import { ModuleLoader, presetSource } from '../actors/modules.ts';
import { decodeKind, decodeTask, encodeTask, type ProcessTask } from '../actors/process-task.ts';
import { mainPool, setArguments } from '../actors/program.ts';
import { BRIEF_REHEARSAL, REHEARSAL, RehearsalInbox } from '../actors/rehearsal.ts';
import { settle } from '../actors/settle.ts';
import { startProcessTrace, type Tracer } from '../actors/trace.ts';
import { Vm, type VmHost } from '../actors/vm.ts';
import { takeDescriptor } from '../io/packet.ts';
import { onceReaped } from '../io/reaping.ts';
import { library } from '../modules/all.ts';
import { makeTypes } from '../modules/define.ts';
import { describeBug, toLuaError } from '../runtime/error.ts';
import { messageOf, readError } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import { computeFilter, noteInherited } from '../sandbox/apply.ts';
import {
  allowSignals,
  becomeActor,
  exitNow,
  getpid,
  giveBackBytes,
  INBOX_FD,
  type Start,
  setEnvironment,
  supervise,
  type Task,
  takeTask,
  tellTouched,
} from '../sandbox/child.ts';
import {
  type CompiledInitScript,
  compileInitScript,
  runInitScript,
} from '../sandbox/init-script.ts';
import { NO_WALLS, type Plan } from '../sandbox/plan.ts';
import { beginService } from '../sys/libc-service.ts';
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
  -- All but tls, which brings a library of its own along.
  for id in ([[
    asio_error barrier byte_span channel condition_variable fiber_group file filesystem future generic_error ip
    json mutex pipe rate_limiter recursive_mutex regex select semaphore serial_port stream system time timeout
    unix wait_group
  ]]):gmatch('%S+') do
    require(id)
  end
`;

/** One that nobody hears. */
const silentHost = (ended: () => void): VmHost => ({
  report() {},
  ended: ({ siblings }) => {
    if (siblings.size === 0) queueMicrotask(ended);
  },
  bug: fail,
  print() {},
  flush() {},
});

/** Beside the first, whose text is compiled here: after so many, code knows what it is called with. */
const REHEARSALS = 3;

/** Run programs of ours to their ends, without ever turning the event loop. */
function warmUp(then: () => void): void {
  const vm = new Vm(library, silentHost(rehearse));
  const file = '/warm-up/init.lua';
  presetSource(file, WARM_UP);
  vm.modules = new ModuleLoader(vm, 'main', []);
  vm.start(file);

  function rehearse(): void {
    makeTypes();
    rehearseOften(REHEARSAL, (task) => {
      rehearsal = task;
      rehearseOften(BRIEF_REHEARSAL, (task) => {
        briefRehearsal = task;
        then();
      });
    });
  }
}

/** @param then  gets the task as it comes from a program that has compiled it */
function rehearseOften(task: ProcessTask, then: (compiled: Uint8Array) => void): void {
  runRehearsal(encodeTask(task), () => {
    const [file, text] = task.sources[0]!;
    const parts = compiledParts(file, text, false, true)!;
    const compiled = encodeTask({ ...task, compiled: [[file, parts]] });
    forgetModules();
    const again = (times: number): void => {
      if (times === 0) then(compiled);
      else runRehearsal(compiled, () => again(times - 1));
    };
    again(REHEARSALS);
  });
}

/**
 * While it is on, all code is compiled when it first runs, and none is made for what it was called with until now: what
 * programs of ours do is not what others will, and their processes would take it down again.
 */
function simpleCode(isOn: boolean): void {
  const flags = isOn
    ? ['--always-sparkplug', '--no-maglev', '--no-opt']
    : ['--no-always-sparkplug', '--maglev', '--opt'];
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  for (const flag of flags) setFlagsFromString(flag);
}

let rehearsal: Uint8Array;
let briefRehearsal: Uint8Array;

/** From its task to its end as those of programs: what is compiled and looked at here is so in each process. */
function runRehearsal(body: Uint8Array, then: () => void): void {
  const inbox = new RehearsalInbox();
  inbox.sendSecond();
  const before = process.exitCode;
  const stage = stageOf(new StandardOutput(), () => {
    process.exitCode = before;
    inbox.close();
    forgetModules();
    queueMicrotask(then);
  });
  const task = readTask({ body, arg: -1, bodyFile: -1 });
  // The bytes are needed again.
  runActor(stage, task, (bytes) => giveBackBytes(bytes.subarray(0, 0)), inbox.receiver);
}

/** proc_pid_status(5): private memory that can be written, and all addresses that are taken. */
function noteMemory(): void {
  const status = readFileSync('/proc/self/status', 'latin1');
  const bytesOf = (name: string): number =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)![1]) * 1024;
  noteInherited(bytesOf('VmData') + bytesOf('VmStk'), bytesOf('VmSize'));
}

function fail(thrown: unknown): never {
  writeError(`perilune: internal error in the process of an actor\n${describeBug(thrown)}\n`);
  return exitNow(EX_SOFTWARE);
}

function main(): void {
  try {
    const start = supervise(); // returns in children only
    ignoreBrokenPipes();
    const given = start.task;
    const task = given === undefined ? undefined : readTask(given);
    const walls = wallsOf(start, task);
    becomeActor(start, () => runInit(given?.arg ?? -1, task), walls);
    mainPool.isWalled = walls.both.length > 0;
    const stage = prepareStage(start.isScout);
    if (start.isScout) scout(stage);
    else if (task !== undefined) runActor(stage, task, giveBackBytes);
    else rehearseAhead(() => runActor(stage, readTask(takeTask()), giveBackBytes));
  } catch (thrown) {
    fail(thrown);
  }
}

/**
 * A process that is there ahead has the time for one more, behind its walls: its first steps are slow, since each page is new
 * to it, to the processor and to what the machine itself may run in. What it writes to is its own from then on: it does what
 * each actor does, and no more.
 */
function rehearseAhead(then: () => void): void {
  runRehearsal(briefRehearsal, then);
}

function wallsOf({ isScout, kind }: Start, task: ProcessTask | undefined): Plan {
  if (isScout) return NO_WALLS;
  return task?.walls ?? decodeKind(kind).walls;
}

/** Names in a program that no program before it has had, so many that V8's table of names is written to everywhere. */
const NEW_NAMES = 400;

/** Which memory does an actor need? */
function scout(stage: Stage): void {
  const inbox = new RehearsalInbox();
  runActor(stage, decodeTask(briefRehearsal), undefined, inbox.receiver);
  inbox.sendSecond(); // the event loop brings it
}

/**
 * Its actor has answered, and ended. A process that is there ahead has the time for what it may need besides: for more names than
 * it will have, and for all that a longer program does.
 */
function endScout(): void {
  process.emit('exit', 0);
  tellTouched(false);
  const names = Array.from({ length: NEW_NAMES }, (_, i) => `"no program's ${i}":0`);
  JSON.parse(`{${names.join(',')}}`);
  runRehearsal(briefRehearsal, () => {
    runRehearsal(rehearsal, () => {
      tellTouched(true);
      exitNow(0);
    });
  });
}

/** Compiled before any fork. Not there with --jitless: then there is no WebAssembly. */
let initScriptModule: CompiledInitScript | undefined;

function runInit(arg: number, task: ProcessTask | undefined): void {
  if (task?.init === undefined) return;
  setVariables(task);
  allowSignals(); // what the script executes would not get any
  const script = Buffer.from(task.init, 'latin1');
  runInitScript(initScriptModule!, script, arg < 0 ? undefined : arg, task.initTimeout);
}

function setVariables({ environment }: ProcessTask): void {
  const variables = environment.map(([name, value]) => `${name}=${value}\0`).join('');
  setEnvironment(Buffer.from(variables, 'latin1'));
}

function readTask({ body, bodyFile }: Task): ProcessTask {
  if (bodyFile < 0) return decodeTask(body);
  try {
    return decodeTask(readFileSync(bodyFile));
  } finally {
    closeSync(bodyFile);
  }
}

/** For a trace: what goes on here is said through a socket, which comes before all messages. */
function beginTrace({ trace }: ProcessTask): Tracer | undefined {
  const fd = trace && takeDescriptor(INBOX_FD);
  if (trace === undefined || fd === undefined) return undefined;
  const tracer = startProcessTrace(trace, fd);
  process.on('exit', (code) => tracer.end(code));
  return tracer;
}

/** A process that needs only its task. */
interface Stage {
  readonly vm: Vm;
  finish(code: number): void;
}

function prepareStage(isScout: boolean): Stage {
  const output = new StandardOutput();
  // Node's own end waits for threads that the fork has left behind.
  Object.assign(process, { reallyExit: exitNow });
  const stage = stageOf(output, (code) => {
    if (isScout) return endScout();
    output.flush();
    process.emit('exit', code);
    exitNow(code);
  });
  Object.defineProperty(process, 'pid', { value: getpid() });
  setArguments(['', '']);
  process.on('uncaughtException', endFor(output));
  const { siblings } = stage.vm;
  process.on('beforeExit', () => settle(siblings));
  return stage;
}

/** For a bug: the end, after what has been printed until then. */
const endFor =
  (output: StandardOutput) =>
  (thrown: unknown): void => {
    output.flush();
    fail(thrown);
  };

function stageOf(output: StandardOutput, finish: (code: number) => void): Stage {
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
    bug: endFor(output),
    print: (text) => output.write(text),
    flush: () => output.flush(),
  };
  return { vm: new Vm(library, host), finish };
}

/** Bytes of the task that nobody reads again. */
type Spent = (bytes: Uint8Array) => void;

/** @throws  what it runs can't be read or compiled */
function startVm(vm: Vm, task: ProcessTask, inbox: number, spent?: Spent): void {
  state.suspendAll = task.suspendAll;
  mainPool.isAlone = task.isAlone;
  vm.modules = new ModuleLoader(vm, 'worker', searchPath());
  for (const [path, text] of task.sources) presetSource(path, text);
  const sources = new Map(task.sources);
  for (const [path, parts] of task.compiled) {
    presetModule(path, sources.get(path)!, parts, spent);
  }
  const inlet = inletsOf(vm.mailbox).add(inbox);
  inlet.traceAs(0, task.trace?.via ?? 0);
  const { file, id } = task;
  const root = task.root === '' ? dirname(file) : task.root;
  vm.run(vm.modules.startActor({ file, root, isLeaf: true }, id));
}

function runActor(
  { vm, finish }: Stage,
  task: ProcessTask,
  spent: Spent | undefined,
  inbox = INBOX_FD,
): void {
  if (task.init === undefined) setVariables(task);
  const trace = beginTrace(task);
  if (trace !== undefined) vm.traceAs(trace.newActor(task.file));
  try {
    if (task.hasService) beginService(takeDescriptor(INBOX_FD) ?? -1);
    startVm(vm, task, inbox, spent);
  } catch (thrown) {
    state.suspendAll = false;
    const { value } = toLuaError(thrown);
    // An error object says what is wrong with a file, but not with which.
    const file = readError(value) === undefined ? '' : `cannot open ${task.file}: `;
    writeError(`Error starting the lua VM: ${file}${messageOf(value)}\n`);
    finish(1);
  }
}

const jitless = process.execArgv.includes('--jitless');
if (!jitless) {
  simpleCode(true);
  acceptCode();
}
warmUp(() => {
  computeFilter(jitless);
  if (!jitless) initScriptModule = compileInitScript();
  noteMemory();
  if (!jitless) simpleCode(false);
  promoteAll();
  if (!jitless) acceptCode();
  main();
});

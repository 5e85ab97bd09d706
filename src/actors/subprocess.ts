/** Actors in processes of their own: what their maker says, and what their process is told. */
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { closeAll, giveDescriptor, packetPair, sendAtOnce } from '../io/packet.ts';
import {
  MAX_TASK,
  type ProcessRequest,
  type StartedProcess,
  SupervisorGone,
  SysError,
  startProcess,
} from '../io/supervisor.ts';
import { endOfFile } from '../runtime/asio-error.ts';
import { codeError } from '../runtime/error-code.ts';
import type { LuaValue } from '../runtime/value.ts';
import { availableWalls } from '../sandbox/apply.ts';
import {
  type Limits,
  NO_WALLS,
  type Plan,
  planFiltered,
  planInbox,
  type Wall,
} from '../sandbox/plan.ts';
import { ALL_NAMESPACES } from '../sandbox/policy.ts';
import { ActorProcess } from './actor-process.ts';
import { IpcChannel } from './ipc-channel.ts';
import type { ServiceSlave } from './libc-service.ts';
import { compiledParts } from './load.ts';
import { FilePath } from './modules.ts';
import { encodeKind, encodeTask, type ProcessKind, type ProcessTask } from './process-task.ts';
import { openReports, type Reports } from './reports.ts';
import { tracing } from './trace.ts';
import type { Vm } from './vm.ts';

/** Of `subprocess`, checked. */
export interface ProcessOptions {
  readonly cloneFlags: number;
  /** Its pool of threads takes no more of them. */
  readonly isAlone: boolean;
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** undefined: a pipe whose other end is closed */
  readonly standard: ProcessRequest['standard'];
  /** Text of `init.script`, how many milliseconds it may take (undefined: any), and `init.arg`. */
  readonly init: string | undefined;
  readonly initTimeout: number | undefined;
  readonly arg: number | undefined;
  /** Without compiler: nothing in the process's memory can be written and then executed. */
  readonly jitless: boolean;
  /** A supervisor of its own: no other process has its address space's layout. */
  readonly isolated: boolean;
  /** All walls at once; 'best_effort': those that the kernel can give. */
  readonly sandbox: 'inbox' | 'best_effort' | undefined;
  readonly limits: Limits;
  /** Which system calls there are: a program for seccomp(2), as a string of bytes. */
  readonly filter: string | undefined;
  /** Texts of modules, by their path below the root of imports. */
  readonly sources: readonly (readonly [path: string, text: string])[];
  /** Whom calls that need ambient authority are to ask. */
  readonly service: ServiceSlave | undefined;
}

/**
 * @param module  an id, resolved here; or a path, which the process opens
 * @throws   the module can't be found or read, or the process not be made
 */
export function spawnProcess(
  vm: Vm,
  module: string | FilePath,
  from: LuaValue,
  options: ProcessOptions,
  suspendAll: boolean,
): IpcChannel {
  const { sandbox, filter } = options;
  const place = placeOf(vm, module, from, options.sources, suspendAll);
  if (filter !== undefined && sandbox === undefined && !availableWalls().has('seccomp'))
    throw codeError('ENOTSUP', { arg: 'subprocess/seccomp_set_mode_filter' });
  const walls = sandbox === undefined ? undefined : availableWalls();
  const wanted: Wall[] = walls === undefined ? [] : ['landlock', 'seccomp'];
  const missing = wanted.filter((wall) => !walls!.has(wall));
  if (sandbox === 'inbox' && missing.length > 0)
    throw codeError('ENOTSUP', { arg: 'subprocess/sandbox', missing: missing[0] });
  const start = (cloneFlags: number): IpcChannel => {
    const plan = planOf(walls, options);
    const kind = canBeSpare(options) ? { walls: plan } : undefined;
    const task: ProcessTask = {
      ...place,
      trace: undefined,
      walls: kind === undefined ? plan : undefined,
      suspendAll,
      isAlone: options.isAlone,
      init: options.init,
      initTimeout: options.initTimeout,
      hasService: options.service !== undefined,
      environment: options.environment,
    };
    return startActor(vm, options, cloneFlags, kind, task, missing);
  };
  if (walls === undefined) return start(options.cloneFlags);
  try {
    return start(options.cloneFlags | ALL_NAMESPACES);
  } catch (error) {
    if (sandbox !== 'best_effort' || !(error instanceof SysError)) throw error;
    walls.delete('namespaces');
    missing.unshift('namespaces');
    return start(options.cloneFlags);
  }
}

function planOf(
  walls: ReadonlySet<Wall> | undefined,
  { limits, jitless, filter, service }: ProcessOptions,
): Plan {
  if (walls !== undefined) return planInbox(walls, limits, jitless, filter, service !== undefined);
  return filter === undefined ? NO_WALLS : planFiltered(filter);
}

/** Milliseconds that a process has, beside the time of its script, to be set up and to say itself that it isn't. */
const GRACE = 5_000;

/** Of one task after the other: new memory would have to be found, and cleared, for each. */
let room: Buffer | undefined;

function startActor(
  vm: Vm,
  options: ProcessOptions,
  cloneFlags: number,
  kind: ProcessKind | undefined,
  task: ProcessTask,
  missingWalls: readonly Wall[],
): IpcChannel {
  const { sender, receiver } = packetPair();
  let cwd: number | undefined;
  let reports: Reports | undefined;
  try {
    const actor = tracing.on?.newActor(task.file) ?? 0;
    // What it needs to say something, system calls of its maker's choice may not allow.
    const isFree = options.filter === undefined && options.init === undefined;
    if (tracing.on !== undefined && isFree) reports = openReports(tracing.on, actor, sender);
    if (options.sandbox === undefined) cwd = currentDirectory();
    room ??= Buffer.allocUnsafeSlow(MAX_TASK);
    const body = encodeTask({ ...task, trace: reports?.task }, room);
    const isSent = reports === undefined && isFirstPacket(sender, body);
    const start = (): StartedProcess =>
      startProcess(supervisorCommand(options), options.isolated, {
        cloneFlags,
        isNobody: options.sandbox !== undefined,
        inbox: receiver,
        cwd,
        standard: options.standard,
        arg: options.arg,
        setUpTime: options.initTimeout === undefined ? undefined : options.initTimeout + GRACE,
        kind: kind && encodeKind(kind),
        body: isSent ? undefined : body,
      });
    const process = withService(options.service, sender, start);
    // First: it is killed before it can see a closed channel.
    const actorProcess = new ActorProcess(process, vm.io, reports);
    const channel = new IpcChannel(sender, vm.io);
    channel.process = actorProcess;
    channel.missingWalls = missingWalls;
    if (options.sandbox !== undefined) channel.markSandbox();
    if (tracing.on !== undefined) traceProcess(vm, task.file, options, actor, channel);
    reports?.begin();
    return channel;
  } catch (error) {
    closeAll([sender]);
    reports?.close();
    throw error instanceof SupervisorGone ? endOfFile() : error;
  } finally {
    closeAll([receiver]);
    if (cwd !== undefined) closeSync(cwd);
  }
}

/** Its socket comes before all messages, too. */
function withService(
  service: ServiceSlave | undefined,
  inbox: number,
  start: () => StartedProcess,
): StartedProcess {
  if (service === undefined) return start();
  return service.give((socket) => {
    const result = giveDescriptor(inbox, socket);
    if (result < 0) throw new SysError('sendmsg', -result);
    return start();
  });
}

/** Past the supervisor, which need not copy it then. */
function isFirstPacket(sender: number, body: Uint8Array): boolean {
  return body.length <= MAX_TASK && sendAtOnce(sender, body, body.length, []) === body.length;
}

function traceProcess(
  vm: Vm,
  file: string,
  { sandbox }: ProcessOptions,
  actor: number,
  channel: IpcChannel,
): void {
  const trace = tracing.on!;
  const process = channel.process!;
  for (const object of [process, channel]) trace.setEnd(object, { actor, request: 0 });
  trace.spawned(actor, trace.actorOf(vm.scheduler), 'process', file, {
    pid: process.pid,
    ...(sandbox && { sandbox }),
  });
}

/** Descriptors that a process must be allowed, to get those of its task when it has its limits already. */
const FILES_OF_SPARE = 64;

/**
 * A process may begin before it is known what it will run, unless a script comes first, which may have secrets, or
 * a filter of the program's, which may not let it take its task.
 */
function canBeSpare({ init, arg, filter, isolated, sandbox, limits }: ProcessOptions): boolean {
  const hasRoom = sandbox === undefined || limits.files >= FILES_OF_SPARE;
  const isPlain = init === undefined && arg === undefined && filter === undefined;
  return isPlain && !isolated && hasRoom;
}

type Placed = Pick<ProcessTask, 'file' | 'root' | 'id' | 'sources' | 'compiled'>;

/**
 * What the program has as files is compiled here, which is ready for that: a process that has just begun takes
 * longer to compile than for everything else. Texts that a program gives by itself may be anybody's, and compiling
 * is to cost those whose text it is; so their process does that, but for those that run here, too.
 */
function placeOf(
  vm: Vm,
  module: string | FilePath,
  from: LuaValue,
  sources: ProcessOptions['sources'],
  suspendAll: boolean,
): Placed {
  if (module instanceof FilePath) {
    return { file: module.path, root: '', id: module.path, sources, compiled: [] };
  }
  const { root } = vm.modules.rootOf(from);
  const preset = sources.map(([path, text]) => [join(root, path), text] as const);
  const found = vm.modules.findActor(module, from, new Set(preset.map(([path]) => path)));
  const { file } = found;
  const isGiven = preset.some(([path]) => path === file);
  if (!isGiven) preset.push([file, vm.modules.readActor(found, module)]);
  const compiled = preset.flatMap(([path, text]) => {
    const parts = compiledParts(path, text, suspendAll, path === file && !isGiven);
    return parts === undefined ? [] : [[path, parts] as const];
  });
  return { file, root: found.root, id: module, sources: preset, compiled };
}

const O_PATH = 0o10000000;

/** undefined: it is gone, or can't be seen */
function currentDirectory(): number | undefined {
  try {
    return openSync('.', O_PATH | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}

/** What a supervisor is told besides: it forks, and what it leaves behind can't have threads. */
const SUPERVISOR_FLAGS = [
  '--single-threaded',
  '--v8-pool-size=0',
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
];

/** Flags of this process that are about how Lua runs. */
const isOurs = (flag: string): boolean =>
  /^--(stack-size|max-(valid|inlined)|no-additive)/.test(flag);

function supervisorCommand({ jitless, sandbox, limits }: ProcessOptions): string[] {
  const more = jitless ? ['--jitless'] : [];
  // V8 ends at a limit of its own. The kernel's only makes its allocations fail, and it collects garbage over and over.
  if (sandbox !== undefined)
    more.push(`--max-old-space-size=${Math.ceil(limits.memory / 2 ** 20)}`);
  // src/actors or dist. Types are taken off by WebAssembly, which --jitless leaves out.
  const here = import.meta.dirname;
  const isSource = here.endsWith('actors');
  const bundle = join(here, isSource ? '../../bin/jailed.cjs' : '../bin/jailed.cjs');
  const program = isSource && !jitless ? join(here, '../cli/jailed.ts') : bundle;
  const flags = process.execArgv.filter(isOurs);
  if (process.platform !== 'linux') throw codeError('ENOTSUP');
  return [process.execPath, ...flags, ...SUPERVISOR_FLAGS, ...more, program];
}

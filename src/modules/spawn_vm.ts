/** Actors as their makers see them: `spawn_vm`, and the sending end. */
import { spawnActor } from '../actors/actor.ts';
import { TxChannel } from '../actors/address.ts';
import { FileDescriptor, Spent } from '../actors/file-descriptor.ts';
import { inletsOf } from '../actors/inlets.ts';
import { IpcChannel } from '../actors/ipc-channel.ts';
import { ServiceSlave, usableSlave } from '../actors/libc-service.ts';
import { Mailbox, type Message, type Owned } from '../actors/mailbox.ts';
import { makeMessage, makeRequest } from '../actors/message.ts';
import { FilePath } from '../actors/modules.ts';
import { mainPool } from '../actors/program.ts';
import { receiveFrom, sendTo } from '../actors/receive.ts';
import { filterBytes } from '../actors/seccomp-filter.ts';
import { sendLetter } from '../actors/send-letter.ts';
import { type ProcessOptions, spawnProcess } from '../actors/subprocess.ts';
import { addThreads, spawnInThread, threadFor } from '../actors/threads/pool.ts';
import { tracing } from '../actors/trace.ts';
import { currentVm, type Vm } from '../actors/vm.ts';
import type { Fiber } from '../fibers/fiber.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import type { Outside } from '../fibers/waitable.ts';
import { signalName } from '../io/supervisor.ts';
import { startTimer } from '../io/timer.ts';
import { decodeBytes } from '../runtime/bytes.ts';
import { tryThen } from '../runtime/call.ts';
import { checkDuration, checkIntegerIn } from '../runtime/check.ts';
import { badArgument, codeError, coreError } from '../runtime/error-code.ts';
import { state } from '../runtime/state.ts';
import {
  arrayOf,
  entries,
  LuaTable,
  rawGet,
  rawGetString,
  rawLength,
  tableOf,
} from '../runtime/table.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { DEFAULT_LIMITS, LEAST_MEMORY, type Limits } from '../sandbox/plan.ts';
import { NAMESPACES } from '../sandbox/policy.ts';
import { nativeAvailable } from '../sys/native.ts';
import { SIGKILL } from '../sys/signal.ts';
import { luaType } from './define.ts';

/** `subprocess`, checked. @throws LuaError  EINVAL{arg="subprocess/…"}, EBUSY with the same */
function processOptions(table: LuaTable, isAlone: boolean): ProcessOptions {
  const wrong = (name: string): never => {
    throw badArgument(`subprocess/${name}`);
  };
  let cloneFlags = 0;
  for (const [name, flag] of Object.entries(NAMESPACES)) {
    const wanted = rawGetString(table, name);
    if (wanted !== undefined && typeof wanted !== 'boolean') wrong(name);
    if (wanted === true) cloneFlags |= flag;
  }
  const descriptor = (v: LuaValue, name: string): number => {
    if (v instanceof Spent) throw codeError('EBUSY', { arg: `subprocess/${name}` });
    if (!(v instanceof FileDescriptor)) return wrong(name);
    if (!v.isUsable) throw codeError('EBUSY', { arg: `subprocess/${name}` });
    return v.fd;
  };
  // Of FreeBSD, and what nobody is to believe to be there.
  const refuse = (name: string): never => {
    throw codeError('ENOTSUP', { arg: `subprocess/${name}` });
  };
  const daemon = rawGetString(table, 'pd_daemon') ?? false;
  if (typeof daemon !== 'boolean') wrong('pd_daemon');
  if (daemon) refuse('pd_daemon');
  const libraries = rawGetString(table, 'ld_library_directories');
  if (libraries !== undefined) {
    if (!(libraries instanceof LuaTable)) return wrong('ld_library_directories');
    for (let i = 1; i <= rawLength(libraries); i++)
      descriptor(rawGet(libraries, i), 'ld_library_directories');
    refuse('ld_library_directories');
  }
  const service = rawGetString(table, 'libc_service');
  if (service !== undefined && !(service instanceof ServiceSlave)) return wrong('libc_service');
  if (service !== undefined) usableSlave(service, 'subprocess/libc_service');
  findNativeModules(rawGetString(table, 'native_modules_cache'), wrong);
  const standard = (name: string, shared: number): number | undefined => {
    const v = rawGetString(table, name);
    if (v === undefined) return undefined;
    return v === 'share' ? shared : descriptor(v, name);
  };
  const init = rawGetString(table, 'init');
  let script: string | undefined;
  let arg: number | undefined;
  let initTimeout: number | undefined;
  if (init !== undefined) {
    if (!(init instanceof LuaTable)) return wrong('init');
    const text = rawGetString(init, 'script');
    if (typeof text !== 'string') return wrong('init/script');
    script = text;
    const given = rawGetString(init, 'arg');
    if (given !== undefined) arg = descriptor(given, 'init/arg');
    const seconds = rawGetString(init, 'timeout') ?? Infinity;
    if (typeof seconds !== 'number' || !(seconds > 0)) return wrong('init/timeout');
    if (seconds !== Infinity) initTimeout = seconds * 1000;
  }
  const jitless = rawGetString(table, 'jitless') ?? false;
  if (typeof jitless !== 'boolean') return wrong('jitless');
  // The script's interpreter is WebAssembly, which is compiled.
  if (jitless && script !== undefined) throw codeError('ENOTSUP');
  const isolate = rawGetString(table, 'isolate');
  if (isolate !== undefined && isolate !== 'exec') return wrong('isolate');
  const sandbox = rawGetString(table, 'sandbox');
  if (sandbox !== undefined && sandbox !== 'inbox' && sandbox !== 'best_effort')
    return wrong('sandbox');
  const environment = rawGetString(table, 'environment');
  if (environment !== undefined && !(environment instanceof LuaTable)) wrong('environment');
  const sources = rawGetString(table, 'source_tree_cache');
  if (sources !== undefined && !(sources instanceof LuaTable)) wrong('source_tree_cache');
  return {
    cloneFlags,
    isAlone,
    environment: environment instanceof LuaTable ? variables(environment, wrong) : [],
    standard: [standard('stdin', 0), standard('stdout', 1), standard('stderr', 2)],
    init: script,
    initTimeout,
    arg,
    jitless,
    isolated: isolate === 'exec',
    sandbox,
    limits: limitsOf(rawGetString(table, 'limits'), wrong),
    filter: filterOf(rawGetString(table, 'seccomp_set_mode_filter')),
    sources: sources instanceof LuaTable ? sourceTree(sources, '', wrong) : [],
    service,
  };
}

/** A list of plugins, or all that there are: there are none. @throws LuaError  module_not_found */
function findNativeModules(v: LuaValue, wrong: Wrong): void {
  if (v === undefined || v === 'all') return;
  if (!(v instanceof LuaTable)) return wrong('native_modules_cache');
  if (rawLength(v) === 0) return;
  const id = rawGet(v, 1);
  if (typeof id !== 'string') return wrong('native_modules_cache');
  throw coreError('module_not_found', { module: id });
}

/** {memory = bytes, cpu = seconds, files = number} */
function limitsOf(v: LuaValue, wrong: Wrong): Limits {
  if (v === undefined) return DEFAULT_LIMITS;
  if (!(v instanceof LuaTable)) return wrong('limits');
  const most = <D>(name: string, otherwise: D, least = 1): number | D => {
    const n = rawGetString(v, name);
    if (n === undefined) return otherwise;
    const isOne = typeof n === 'number' && n >= least && n <= 2 ** 53;
    return isOne ? Math.ceil(n) : wrong(`limits/${name}`);
  };
  return {
    memory: most('memory', DEFAULT_LIMITS.memory, LEAST_MEMORY),
    cpu: most('cpu', DEFAULT_LIMITS.cpu),
    files: most('files', DEFAULT_LIMITS.files),
  };
}

function filterOf(v: LuaValue): string | undefined {
  if (v === undefined) return undefined;
  const bytes = filterBytes(v, 'subprocess/seccomp_set_mode_filter');
  return decodeBytes(bytes, 0, bytes.length);
}

type Wrong = (name: string) => never;

function variables(table: LuaTable, wrong: Wrong): [string, string][] {
  const list: [string, string][] = [];
  for (const [name, value] of entries(table)) {
    if (typeof name !== 'string' || typeof value !== 'string') return wrong('environment');
    if (name === '' || /[=\0]/.test(name) || value.includes('\0')) return wrong('environment');
    list.push([name, value]);
  }
  return list;
}

/** Tables within each other. */
const MAX_TREE_DEPTH = 100;

/** {name = text, name = {name = text, …}, …}: `name` is the file `name.lua`, or a directory. */
function sourceTree(table: LuaTable, path: string, wrong: Wrong, depth = 0): [string, string][] {
  const list: [string, string][] = [];
  if (depth > MAX_TREE_DEPTH) return wrong('source_tree_cache');
  for (const [name, value] of entries(table)) {
    if (typeof name !== 'string' || !/^[a-zA-Z_][a-zA-Z0-9_]*(\.lua)?$/.test(name))
      return wrong('source_tree_cache');
    if (value instanceof LuaTable)
      list.push(...sourceTree(value, `${path}${name}/`, wrong, depth + 1));
    else if (typeof value === 'string')
      list.push([`${path}${name.endsWith('.lua') ? name : `${name}.lua`}`, value]);
    else return wrong('source_tree_cache');
  }
  return list;
}

function spawnInProcess(vm: Vm, options: LuaTable, file: LuaValue): IpcChannel {
  const subprocess = rawGetString(options, 'subprocess');
  if (!(subprocess instanceof LuaTable)) throw badArgument('subprocess');
  for (const other of ['inherit_context', 'new_master'])
    if (rawGetString(options, other) !== undefined) throw badArgument(1);
  const module = rawGetString(options, 'module');
  if (typeof module !== 'string' && !(module instanceof FilePath)) throw badArgument('module');
  if (!nativeAvailable()) throw codeError('ENOTSUP');
  vm.host.flush(); // what is shared is written in order
  const process = processOptions(subprocess, isAlone(options));
  return spawnProcess(vm, module, file, process, state.suspendAll);
}

/** `spawn_vm(module)`, `spawn_vm { module =, inherit_context =, concurrency_hint =, new_master = }` */
export function spawnVm(vm: Vm, options: LuaValue, file: LuaValue): TxChannel | IpcChannel {
  defineChannels();
  if (typeof options === 'string') return spawnInPool(vm, options, file, false);
  if (!(options instanceof LuaTable)) throw badArgument(1);
  if (rawGetString(options, 'subprocess') !== undefined) return spawnInProcess(vm, options, file);
  const module = rawGetString(options, 'module');
  if (typeof module !== 'string') throw badArgument('module');
  const isMaster = booleanOf(options, 'new_master', false);
  const inherits = booleanOf(options, 'inherit_context', true);
  const alone = isAlone(options);
  if (isMaster && !vm.isMaster) throw codeError('EPERM');
  if (inherits) return spawnInPool(vm, module, file, isMaster);
  if (!nativeAvailable() || mainPool.isWalled) throw codeError('ENOTSUP');
  return spawnInThread(vm, module, file, { isAlone: alone, isMaster });
}

function booleanOf(options: LuaTable, name: string, otherwise: boolean): boolean {
  const v = rawGetString(options, name) ?? otherwise;
  if (typeof v !== 'boolean') throw badArgument(name);
  return v;
}

/** Only the hint 1 means something: no other threads. */
function isAlone(options: LuaTable): boolean {
  const hint = rawGetString(options, 'concurrency_hint') ?? 'safe';
  if (typeof hint !== 'number' && hint !== 'safe' && hint !== 'unsafe-io')
    throw badArgument('concurrency_hint');
  return hint === 1;
}

/** In that of the caller's threads which has the fewest VMs. */
function spawnInPool(vm: Vm, module: string, file: LuaValue, isMaster: boolean): TxChannel {
  const thread = threadFor();
  return thread === undefined
    ? spawnActor(vm, module, file, isMaster)
    : spawnInThread(vm, module, file, { isAlone: false, isMaster }, thread);
}

/** `spawn_context_threads(count)` */
export function spawnContextThreads(vm: Vm, count: LuaValue): Result {
  const n = checkIntegerIn(count, 1, 'spawn_context_threads', -Infinity, Infinity); // no NaN
  if (n <= 0) return NONE;
  if (!nativeAvailable()) throw codeError('ENOSYS');
  if (mainPool.isWalled) throw codeError('ENOTSUP');
  addThreads(vm, n);
  return NONE;
}

function send(self: TxChannel, ...args: LuaValue[]): Result {
  if (args.length === 0) throw badArgument(2);
  return sendTo(self, () => makeMessage(args[0]), args[0]);
}

type Send = (value: LuaValue, reply: TxChannel) => Result;

/** `channel:request(value[, seconds])`: sends {request=, reply=}, and waits for what is sent to `reply`. */
function request(self: Outside, args: LuaValue[], send: Send): Result {
  if (args[0] === undefined) throw badArgument(2);
  const fiber = currentFiber();
  const answer = new Mailbox(currentVm(), 'channel_closed');
  answer.highWater = 1;
  const trace = tracing.on;
  trace?.asks(answer, trace.actorOf(fiber.scheduler));
  const deadline =
    args[1] === undefined ? undefined : startDeadline(fiber, checkDuration(args[1], 3, 'request'));
  const close = (r: Result): Result => {
    deadline?.cancel();
    answer.close();
    return r;
  };
  const fail = (thrown: unknown): never => {
    trace?.unanswered(answer, thrown);
    close(NONE);
    throw thrown;
  };
  const wait = (): Result => {
    if (deadline?.isOver) return fail(codeError('ETIMEDOUT'));
    return tryThen(() => receiveFrom(answer, self, deadline !== undefined), close, fail);
  };
  return tryThen(() => send(args[0], new TxChannel(answer)), wait, fail);
}

function requestHere(self: TxChannel, ...args: LuaValue[]): Result {
  return request(self, args, (value, reply) => sendTo(self, () => makeRequest(value, reply)));
}

function requestThere(self: IpcChannel, ...args: LuaValue[]): Result {
  return request(self, args, (value, reply) => {
    // Its socket is the address from now on.
    const done = (r: Result): Result => {
      reply.close();
      return r;
    };
    const fail = (thrown: unknown): never => {
      reply.close();
      throw thrown;
    };
    return tryThen(() => sendLetter(self, tableOf({ request: value, reply })), done, fail);
  });
}

/** When the time is over, what the fiber waits for then ends with ETIMEDOUT. */
function startDeadline(fiber: Fiber, seconds: number): { isOver: boolean; cancel(): void } {
  const deadline = {
    isOver: false,
    cancel: startTimer(seconds * 1000, () => {
      deadline.isOver = true;
      const { waiter } = fiber;
      if (waiter === undefined || waiter.settled) return;
      waiter.undo?.(waiter);
      waiter.fail(codeError('ETIMEDOUT'));
    }),
  };
  return deadline;
}

/** A message to the own inbox when the VM behind the channel is gone. */
function monitor(self: TxChannel): Result {
  if (!self.isOpen) throw coreError('channel_closed');
  const { mailbox } = currentVm();
  // A message will come: whoever waits for it isn't told that nobody can send.
  mailbox.retain();
  const { recipient } = self;
  traceAct('monitor', recipient);
  recipient.onDeath((reason) => {
    // Made now: who watches an actor doesn't keep it from learning that nobody can send to it.
    const channel = new TxChannel(recipient);
    mailbox.deliver(ending(recipient, mailbox, channel, reason, [channel]));
    mailbox.release();
  });
  return NONE;
}

/** What who watches `dead` is told. */
function ending(
  dead: object,
  to: Mailbox,
  channel: LuaValue,
  reason: string | undefined,
  owned: readonly Owned[] = [],
): Message {
  const value = tableOf({ down: true, channel, reason });
  const trace = tracing.on;
  if (trace === undefined) return { value, owned };
  return { value, owned, stamp: trace.told(trace.endOf(dead), to, reason) };
}

/** For a trace: what the VM whose code runs does to an actor. */
function traceAct(event: string, whom: object, more?: string): void {
  const trace = tracing.on;
  trace?.did(event, trace.actorOf(currentFiber().scheduler), trace.endOf(whom), more);
}

// ── in another process ─────────────────────────────────────────────────────────────────────────────

/** Of a child of this VM. */
function kill(self: IpcChannel, signal: LuaValue): Result {
  if (!self.isOpen) throw coreError('channel_closed');
  if (signal !== undefined && typeof signal !== 'number') throw badArgument(2);
  if (self.process?.supervised !== true) throw codeError('EPERM');
  const number = signal ?? SIGKILL;
  if ((number | 0) !== number) throw badArgument(2);
  self.process.kill(number);
  traceAct('kill', self, `,"signal":"${signalName(number)}"`);
  if (number === SIGKILL) self.close();
  return NONE;
}

function detach(self: IpcChannel): Result {
  if (self.process?.supervised !== true) throw badArgument(1);
  self.process.detach();
  traceAct('detach', self);
  return NONE;
}

function childPid(self: IpcChannel): number {
  if (!self.isOpen || self.process?.supervised !== true) throw badArgument(1);
  return self.process.pid;
}

/** As of a channel in this process: only a child of this VM can be watched. */
function monitorProcess(self: IpcChannel): Result {
  if (!self.isOpen) throw coreError('channel_closed');
  if (self.process === undefined) throw codeError('EPERM');
  const { mailbox } = currentVm();
  const ended = inletsOf(mailbox).expect();
  traceAct('monitor', self);
  const { process } = self;
  const known = new WeakRef(self); // what is forgotten is closed, watched or not
  process.onDeath((reason) => ended(ending(process, mailbox, known.deref(), reason)));
  return NONE;
}

let defined = false;

/** Give channels their methods. */
export function defineChannels(): void {
  if (defined) return;
  defined = true;
  luaType('ipc_actor_channel', IpcChannel, {
    methods: {
      send: (self, ...args: LuaValue[]) => {
        if (args.length === 0) throw badArgument(2);
        return sendLetter(self, args[0]);
      },
      close: (self) => {
        if (self.isOpen) traceAct('close', self);
        self.close();
        return NONE;
      },
      request: requestThere,
      detach,
      kill,
      monitor: monitorProcess,
    },
    properties: { child_pid: childPid, missing_walls: (self) => arrayOf(self.missingWalls) },
  });

  luaType('tx-channel', TxChannel, {
    methods: {
      send,
      request: requestHere,
      monitor,
      close: (self) => {
        if (self.isOpen) traceAct('close', self.recipient);
        self.close();
        return NONE;
      },
    },
    equals: (a, b) =>
      a instanceof TxChannel && b instanceof TxChannel && a.recipient === b.recipient,
  });
}

/**
 * Threads and what runs in them. A pool is a set of threads; a VM is made in the one of its pool that has the
 * fewest, and stays there. Threads are made by the main thread, each as a Worker of Node, when the first VM
 * is to run in them, and end with the last VM of their pool.
 */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { mostDescriptors } from '../../io/owned-fd.ts';
import { abandonChild } from '../../io/process.ts';
import { onRest } from '../../io/reactor.ts';
import { endReaping, startReaping } from '../../io/reaping.ts';
import { closeAllHeld, makeHeld, noteIn } from '../../io/thread-descriptors.ts';
import { isDirectoryLost } from '../../io/working-directory.ts';
import { codeError } from '../../runtime/error-code.ts';
import { state } from '../../runtime/state.ts';
import type { LuaValue } from '../../runtime/value.ts';
import { addressFor, type TxChannel } from '../address.ts';
import { ModuleLoader, presetSource } from '../modules.ts';
import { getArguments, mainPool } from '../program.ts';
import { otherThreads, restInside } from '../settle.ts';
import { startThreadTrace, type TraceShare, tracing } from '../trace.ts';
import { countVmsFrom, type Library, population, Vm, type VmHost } from '../vm.ts';
import { BUG, type Chores, EXIT_CODE, Hub, PRINT, REPORT, SPAWN, START } from './hub.ts';
import { makeSharedMemory, SharedMemory } from './memory.ts';
import type { FrameReader } from './wire.ts';

/** Lua's recursion needs a deep stack: as much as bin/perilune gives the main thread. */
const STACK_MB = 64;
/** Ids of VMs: those of one thread. */
const VM_IDS = 2 ** 24;

/** Where VMs of this thread are made. */
export interface Place {
  readonly library: Library;
  readonly host: VmHost;
  readonly siblings: Set<Vm>;
  readonly searchPath: readonly string[];
}

/** What a thread is started with. */
export interface ThreadData {
  readonly shared: SharedArrayBuffer;
  readonly slot: number;
  readonly searchPath: readonly string[];
  readonly arguments: readonly string[];
  readonly sendsOutput: boolean;
  readonly trace: TraceShare | undefined;
  /** What it has open: io/thread-descriptors.ts. */
  readonly held: SharedArrayBuffer;
}

let hub: Hub | undefined;
let place: Place | undefined;
/** Of the main thread: the threads that it has started. */
const workers = new Map<number, Worker>();

/** What is wanted beside a VM. */
export interface Wanted {
  /** A new pool takes no more threads. */
  readonly isAlone: boolean;
  /** The role of the master goes to the VM. */
  readonly isMaster: boolean;
}

/** The first use of threads, in the main one. */
function openHub(vm: Vm): Hub {
  if (hub === undefined) {
    const memory = new SharedMemory(makeSharedMemory(), 0);
    memory.beginMain(mainPool.isAlone);
    hub = new Hub(memory, 0, chores);
    population.left = vmLeft;
    otherThreads.rest = () => {
      if (workers.size > 0) hub!.rest();
      return workers.size > 0;
    };
    onRest(() => restInside(hub!.vms));
  }
  if (hub.slot === 0) {
    const { library, host, siblings, modules } = vm;
    place = { library, host, siblings, searchPath: modules.searchPath };
    hub.vms = siblings;
    if (workers.size === 0) hub.memory.setVms(0, siblings.size);
  }
  return hub;
}

/** The thread in which a VM of this pool is to be made; undefined: this one. */
export function threadFor(): number | undefined {
  if (hub === undefined) return undefined;
  const { memory, slot } = hub;
  const threads = memory.threadsOf(memory.poolOf(slot));
  const least = threads.length > 1 ? memory.leastOf(threads, slot) : slot;
  return least === slot ? undefined : least;
}

/** One more VM in this thread. */
export function vmJoins(): void {
  if (hub !== undefined) hub.memory.countVms(hub.slot, 1);
}

function vmLeft(): void {
  const { memory, slot } = hub!;
  memory.countVms(slot, -1);
  const threads = memory.threadsOf(memory.poolOf(slot));
  if (memory.vmsOf(threads) > 0) return;
  // The pool has no work any more.
  for (const thread of threads) if (!memory.isAlive(thread)) memory.unreserve(thread);
  hub!.ringAll(threads.filter((thread) => thread !== slot && memory.isAlive(thread)));
}

/**
 * A VM in another thread. As `spawnActor` of actor.ts.
 * @param thread  of the own pool; undefined: a new one
 */
export function spawnInThread(
  parent: Vm,
  id: string,
  file: LuaValue,
  wanted: Wanted,
  thread?: number,
): TxChannel {
  const found = parent.modules.findActor(id, file);
  const source = parent.modules.readCheckedActor(found, id);
  const own = openHub(parent);
  const { memory } = own;
  const slot = thread ?? newThread(own, memory.newPool(), wanted.isAlone);
  memory.countVms(slot, 1);
  let address: number;
  try {
    own.prepareBell(slot);
    if (memory.begin(slot)) start(own, slot);
    address = own.newAddress(slot);
  } catch (thrown) {
    if (thread === undefined) memory.unreserve(slot);
    if (!memory.isGone(slot)) memory.countVms(slot, -1);
    if (memory.isAlive(slot)) own.ringAll([slot]);
    throw thrown;
  }
  const trace = tracing.on;
  const actor = trace?.newActor(found.file) ?? 0;
  if (trace !== undefined) {
    memory.setEnd(address, { actor, request: 0 });
    trace.livesIn(actor, slot);
    trace.spawned(actor, trace.actorOf(parent.scheduler), 'thread', found.file, { thread: slot });
  }
  const channel = addressFor(own.remoteAt(address, true), parent);
  const frame = own
    .frame(SPAWN)
    .integer(address)
    .byte(wanted.isMaster ? 1 : 0)
    .byte(state.suspendAll ? 1 : 0)
    .integer(actor);
  for (const text of [found.file, found.root, id, source]) frame.text(text);
  own.send(slot, frame.frame);
  if (wanted.isMaster) parent.isMaster = false;
  return channel;
}

/** `spawn_context_threads`. @throws LuaError  ENOTSUP, EAGAIN */
export function addThreads(vm: Vm, count: number): void {
  if (count <= 0) return;
  const own = openHub(vm);
  const { memory } = own;
  if (memory.isAlone(own.slot)) throw codeError('ENOTSUP');
  const pool = memory.poolOf(own.slot);
  const made: number[] = [];
  try {
    while (made.length < count) made.push(newThread(own, pool, false));
  } catch (thrown) {
    for (const slot of made) memory.unreserve(slot);
    throw thrown;
  }
}

/** One that is started with its first VM. @throws LuaError  EAGAIN: too many */
function newThread(own: Hub, pool: number, isAlone: boolean): number {
  const slot = own.memory.reserve(pool, isAlone);
  if (slot === undefined) throw codeError('EAGAIN');
  return slot;
}

function start(own: Hub, slot: number): void {
  if (own.slot !== 0) own.send(0, own.frame(START).integer(slot).frame);
  else if (!startWorker(slot)) {
    own.bury(slot, '');
    throw codeError('EAGAIN');
  }
}

const here = import.meta.dirname; // src/actors/threads or dist

/** What a thread runs. */
export const threadProgram = {
  /** For tests: what it prints and reports is the main thread's to print. */
  sendsOutput: false,
  file: join(here, here.endsWith('threads') ? '../../cli/thread.ts' : '../bin/thread.cjs'),
};
const lostDirectory = join(
  here,
  here.endsWith('threads') ? '../../..' : '..',
  'bin/lost-directory.cjs',
);

/** @returns false: the system has no more threads */
function startWorker(slot: number): boolean {
  const threads = process.getBuiltinModule('node:worker_threads');
  const data: ThreadData = {
    shared: hub!.memory.buffer,
    slot,
    searchPath: place!.searchPath,
    arguments: getArguments(),
    sendsOutput: threadProgram.sendsOutput,
    trace: tracing.on?.share,
    held: makeHeld(mostDescriptors()),
  };
  let worker: Worker;
  try {
    worker = new threads.Worker(threadProgram.file, {
      workerData: data,
      env: threads.SHARE_ENV,
      resourceLimits: { stackSizeMb: STACK_MB },
      // What one thread has opened another may own.
      trackUnmanagedFds: false,
      ...(isDirectoryLost() && { execArgv: ['--require', lostDirectory] }),
    });
  } catch {
    return false;
  }
  let reason = 'its thread has ended';
  worker.on('error', (error: Error & { code?: string }) => {
    reason = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : error.message;
  });
  worker.on('exit', () => {
    hub!.drain();
    if (workers.get(slot) === worker) {
      workers.delete(slot);
      if (hub!.memory.isAlive(slot)) {
        place!.host.report(`A thread has ended: ${reason}\n`, true);
        closeAllHeld(data.held, abandonChild);
        hub!.bury(slot, reason);
      }
    }
    if (workers.size === 0) hub!.wake();
    endReaping(worker);
  });
  worker.unref();
  workers.set(slot, worker);
  startReaping(worker);
  return true;
}

const chores: Chores = {
  frame(kind, reader, from) {
    if (kind === SPAWN) makeVm(reader, from);
    else if (kind === START) {
      const slot = reader.integer();
      if (!startWorker(slot)) hub!.bury(slot, 'Resource temporarily unavailable');
    } else if (kind === EXIT_CODE) process.exitCode = reader.integer();
    else if (kind === PRINT) place!.host.print(reader.text());
    else if (kind === REPORT) place!.host.report(reader.text(), true);
    else if (kind === BUG) place!.host.bug(new Error(reader.text()));
  },
  undelivered() {},
  drained: () => endThread(),
  flush: () => place!.host.flush(),
};

function makeVm(reader: FrameReader, from: number): void {
  const { library, host, siblings, searchPath } = place!;
  const address = reader.integer();
  const isMaster = reader.byte() === 1;
  state.suspendAll = reader.byte() === 1;
  const actor = reader.integer();
  const file = reader.text();
  const root = reader.text();
  const id = reader.text();
  presetSource(file, reader.text());
  reader.end();
  const vm = new Vm(library, host, { siblings });
  vm.isMaster = isMaster;
  vm.traceAs(actor);
  hub!.linkAt(vm.mailbox, address, from);
  vm.modules = new ModuleLoader(vm, 'worker', searchPath);
  try {
    vm.run(vm.modules.startActor({ file, root, isLeaf: true }, id));
  } catch (thrown) {
    host.bug(thrown); // its maker has compiled it
  }
}

// ── in a thread ────────────────────────────────────────────────────────────────────────────────────

let leave: (() => void) | undefined;

/**
 * This is a new thread.
 * @param end  it has nothing to do any more
 */
export function joinThreads(data: ThreadData, here: Place, end: () => void): void {
  noteIn(data.held);
  const memory = new SharedMemory(data.shared, data.slot);
  if (data.trace !== undefined) startThreadTrace(data.trace, data.slot);
  place = here;
  leave = end;
  countVmsFrom(1 + data.slot * VM_IDS);
  hub = new Hub(memory, data.slot, chores);
  hub.vms = here.siblings;
  population.left = vmLeft;
  otherThreads.rest = () => {
    if (!endThread()) hub!.rest();
    return true;
  };
  onRest(() => restInside(here.siblings));
  hub.drain();
}

/** @returns whether this is the end of the thread */
function endThread(): boolean {
  if (leave === undefined || place!.siblings.size > 0 || !hub!.end()) return false;
  leave();
  return true;
}

/** To the main thread, which may end the process with it. */
export function tellExitCode(code: number): void {
  hub!.send(0, hub!.frame(EXIT_CODE).integer(code).frame);
}

export const tellBug = (text: string): void => tell(BUG, text);
export const tellPrint = (text: string): void => tell(PRINT, text);
export const tellReport = (text: string): void => tell(REPORT, text);

function tell(kind: number, text: string): void {
  hub!.send(0, hub!.frame(kind).text(text).frame);
}

/**
 * One VM: its globals, module cache, fibers and the IO that it owns. Nothing is shared with others.
 * `cli` hands the table of modules in; panics and the end of the VM are reported to the host.
 */
import type { Fiber, Origin } from '../fibers/fiber.ts';
import { Mutex } from '../fibers/mutex.ts';
import { currentFiber, Scheduler, type SchedulerHost } from '../fibers/scheduler.ts';
import { IoGroup } from '../io/group.ts';
import { soon } from '../io/soon.ts';
import type { LuaError } from '../runtime/error.ts';
import { messageOf } from '../runtime/error-code.ts';
import { addressOf } from '../runtime/ops.ts';
import { type LuaTable, setField } from '../runtime/table.ts';
import type { LuaValue } from '../runtime/value.ts';
import { describeDeadlock } from './fiber-dump.ts';
import { Leases, Mailbox } from './mailbox.ts';
import { Inbox } from './message.ts';
import type { ModuleLoader } from './modules.ts';
import { type Death, tracing } from './trace.ts';
import { describeError } from './uncaught.ts';

/** What a VM starts with; made by `modules/all.ts`. */
export interface Library {
  /** What every module finds among its globals, one of each for a VM. */
  tables(vm: Vm): readonly LuaTable[];
  /** A module's table of globals. */
  globals(vm: Vm): LuaTable;
  /** A core module, or undefined. */
  core(vm: Vm, id: string): LuaValue;
  /** What strings are indexed by. */
  stringMeta(vm: Vm): LuaTable;
}

export interface VmHost {
  /**
   * A line (or several) for the standard error stream.
   * @param isProblem  of the program: an error that nobody caught, or a deadlock
   */
  report(text: string, isProblem?: boolean): void;
  /** The VM has no more work, or has been ended. Others of `vm.siblings` may go on. */
  ended(vm: Vm): void;
  /** A bug of ours. */
  bug(thrown: unknown): void;
  /** Write to the standard output, in order with what came before. Bytes as code units. */
  print(text: string): void;
  /** What `print` has gathered is written before this returns. */
  flush(): void;
}

/** That a report of a deadlock names. */
const MAX_MUTEXES = 20;

let nextVm = 1;

/** Ids of VMs in this thread begin here. */
export function countVmsFrom(id: number): void {
  nextVm = id;
}

/** For whoever counts the VMs of this thread: one has ended. */
export const population: { left: (() => void) | undefined } = { left: undefined };

/** Runs of schedulers, each started by another, before the event loop gets its turn. */
const CHAIN = 1024;
let chained = 0;
/** Those that wait for that turn. */
let afterwards: (() => void)[] = [];

/** VMs that wake each other must not keep timers and sockets waiting, however many they are; nor one of them the others. */
function schedule(run: () => void, later: boolean): void {
  if (later) return void setImmediate(run);
  if (chained < CHAIN) {
    chained++;
    return soon(run);
  }
  afterwards.push(run);
  if (afterwards.length === 1) setImmediate(runAll);
}

function runAll(): void {
  const all = afterwards;
  afterwards = [];
  chained = 0;
  for (const run of all) run();
}

const NO_MODULES: readonly LuaValue[] = [];

export class Vm implements SchedulerHost {
  readonly id = nextVm++;
  readonly library: Library;
  readonly host: VmHost;
  readonly scheduler: Scheduler;
  readonly io = new IoGroup();
  /** Those of the process that run in this thread, this one included. */
  readonly siblings: Set<Vm>;
  /** It may change what belongs to the process: working directory, signals, identity. */
  isMaster: boolean;
  /** Addresses that its program holds. */
  readonly leases = new Leases();
  readonly mailbox = new Mailbox(this);
  readonly inbox = new Inbox(this.mailbox);
  /** `require 'inbox'` was seen. */
  inboxImported = false;
  readonly libraries: readonly LuaTable[];
  /** Those that have been required, each behind its id: mostly one or two. */
  private coreModules: readonly LuaValue[] = NO_MODULES;
  modules!: ModuleLoader;
  mainFiber: Fiber | undefined = undefined;
  exitCode = 0;
  /** Told the exit code when the VM ends. */
  onExit: ((code: number) => void) | undefined = undefined;
  private open = true;

  /** @param beside  one of this thread; undefined: it is the first of the process, and its master */
  constructor(library: Library, host: VmHost, beside?: Pick<Vm, 'siblings'>) {
    this.library = library;
    this.host = host;
    this.siblings = beside?.siblings ?? new Set();
    this.siblings.add(this);
    this.isMaster = beside === undefined;
    this.scheduler = new Scheduler(this);
    this.libraries = library.tables(this);
    this.scheduler.stringMeta = library.stringMeta(this);
  }

  // ── for its scheduler ──

  schedule(run: () => void, later: boolean): void {
    schedule(run, later);
  }

  panic(id: number, error: LuaError, origin: Origin | undefined): void {
    this.reportPanic(`Fiber 0x${id.toString(16)}`, error, origin);
  }

  cleanupFailed(fiber: Fiber, error: LuaError): void {
    this.host.report(
      `VM 0x${this.id.toString(16)} forcibly closed due to error raised on cleanup handler from coroutine 0x${fiber.id.toString(16)}\n` +
        `'${messageOf(error.value)}'${describeError(error, fiber.origin)}\n`,
      true,
    );
    this.exitCode = 1;
    this.close(undefined, 'error');
  }

  bug(thrown: unknown): void {
    this.host.bug(thrown); // first: the end of the last VM may be the end of the process
    this.close(undefined, 'error');
  }

  /** No fiber is ready. */
  quiet(): void {
    if (!this.open) return;
    const { alive } = this.scheduler;
    // One that is alone is asked when the event loop has nothing else to do.
    if (alive.isEmpty || (this.siblings.size > 1 && this.isIdle)) this.closeIdle();
  }

  // ── modules ──

  core(id: string): LuaValue {
    const { coreModules } = this;
    const at = coreModules.indexOf(id);
    if (at >= 0) return coreModules[at + 1];
    const module = this.library.core(this, id);
    if (module !== undefined) this.coreModules = coreModules.concat(id, module); // of just the size
    return module;
  }

  /** A module's own globals. */
  newGlobals(): LuaTable {
    const env = this.library.globals(this);
    setField(env, '_G', env);
    return env;
  }

  reportPanic(who: string, error: LuaError, origin?: Origin): void {
    const message = messageOf(error.value);
    this.host.report(`${who} panicked: '${message}'${describeError(error, origin)}\n`, true);
  }

  print(text: string): void {
    this.host.print(text);
  }

  /** Run a program's root module. @throws LuaError  it can't be read or compiled */
  start(file: string, shown = file): void {
    this.run(this.modules.start(file, shown));
    this.traceSpawn(file);
  }

  /** Its main fiber has been made. */
  run(main: Fiber): void {
    this.mainFiber = main;
    this.scheduler.root = main;
  }

  /** A fiber has ended. */
  fiberEnded(fiber: Fiber): void {
    if (!fiber.isModule) return;
    this.modules.ended(fiber);
    if (fiber !== this.mainFiber) return;
    if (fiber.error === undefined) {
      // Nobody can import it any more.
      if (!this.inboxImported) this.mailbox.close();
      return;
    }
    // The error of a main fiber ends the VM: its other fibers die without cleanup.
    this.reportPanic(`Main fiber from VM 0x${this.id.toString(16)}`, fiber.error);
    this.exitCode = 1;
    this.close(messageOf(fiber.error.value), 'error');
  }

  /** No fiber can run, and nothing is awaited that could change it. */
  get isIdle(): boolean {
    return this.scheduler.isIdle;
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** Nothing but a message can change it. */
  get isStuck(): boolean {
    return this.scheduler.isStuck;
  }

  /** The role of the master goes to another: there is one at a time. */
  handOver(to: Vm): void {
    this.isMaster = false;
    to.isMaster = true;
  }

  /** It could not be started: it never was. */
  forget(): void {
    this.open = false;
    this.scheduler.close();
    this.siblings.delete(this);
    population.left?.();
  }

  /** Finalizers and the like, for when nothing else is left to do: true where a fiber has been started. */
  lastWork: (() => boolean)[] | undefined = undefined;

  /** Nothing can happen any more: say which fibers wait for ever, and end. */
  closeIdle(): void {
    if (this.open && this.lastWork?.some((start) => start())) {
      // In case the fibers end without having waited for anything.
      setImmediate(() => {
        if (this.isIdle) this.closeIdle();
      });
      return;
    }
    const isDeadlock = this.open && this.reportDeadlocks();
    this.close(undefined, isDeadlock ? 'deadlock' : 'ended');
  }

  /** Where each fiber waits that nobody can wake, and for what. @returns whether there are some */
  reportDeadlocks(): boolean {
    const stuck: Fiber[] = [];
    const mutexes = new Set<Mutex>();
    for (const fiber of this.scheduler.alive) {
      const target = fiber.waiter?.waitsFor;
      if (target instanceof Mutex) mutexes.add(target);
      // A detached fiber may wait for work for ever; to wait for a mutex for ever is a mistake.
      else if (target === undefined || fiber.detached) continue;
      stuck.push(fiber);
    }
    if (stuck.length === 0) return false;
    let text = describeDeadlock(stuck);
    for (const mutex of [...mutexes].slice(0, MAX_MUTEXES))
      text += `\tNo scheduled fibers remaining to unlock mutex ${addressOf(mutex)}\n`;
    this.host.report(
      `Possible deadlock(s) detected during VM 0x${this.id.toString(16)} shutdown:\n${text}`,
      true,
    );
    return true;
  }

  /** For a trace: it has been made, by a VM of the same thread. */
  traceSpawn(file: string, parent?: Vm): void {
    const trace = tracing.on;
    if (trace === undefined) return;
    const actor = trace.newActor(file);
    this.traceAs(actor);
    const by = parent === undefined ? 0 : trace.actorOf(parent.scheduler);
    trace.spawned(actor, by, 'same thread', file);
  }

  /** The number that it has in a trace. */
  traceAs(actor: number): void {
    tracing.on?.livesHere(actor, this.scheduler, this.mailbox, this.inbox);
  }

  /**
   * End the VM: its fibers die without cleanup, all that it has open is closed.
   * @param reason  the error that ends it
   * @param how     for a trace
   */
  close(reason?: string, how: Death = 'ended'): void {
    if (!this.open) return;
    this.open = false;
    this.scheduler.reportFailures();
    const trace = tracing.on;
    trace?.died(trace.actorOf(this.scheduler), how, reason, {
      code: this.exitCode,
      vm: `0x${this.id.toString(16)}`,
    });
    this.scheduler.close();
    this.io.closeAll();
    this.mailbox.end(reason);
    while (this.leases.first !== undefined) this.leases.first.release();
    this.siblings.delete(this);
    population.left?.();
    this.onExit?.(this.exitCode);
    this.host.ended(this);
  }
}

/** The VM whose code runs. */
export function currentVm(): Vm {
  return currentFiber().scheduler.host as Vm;
}

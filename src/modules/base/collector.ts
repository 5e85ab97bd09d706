/**
 * `collectgarbage`, `gcinfo`, and `newproxy` with finalizers. Lua 5.1 manual §2.10, §5.1.
 *
 * A collection is V8's: complete, and over before the call returns. It must find no value of the program
 * in a JavaScript frame, so all frames of the thread suspend first; and V8 keeps what a WeakRef has
 * given until the end of the job, except that a microtask queue of its own, run empty, ends a job.
 *
 * A userdata with a `__gc` is collected like anything else. When it is gone, the finalizer is given another
 * one with the same metatable: nobody can tell, for nobody has kept anything of the first. So a
 * metatable lives until its finalizer has run, and what only it refers to is not collected before.
 */
import { fullCollection } from '../../actors/collect.ts';
import { currentVm, type Vm } from '../../actors/vm.ts';
import { call, callMeta, one, suspendIn, suspendProtected } from '../../runtime/call.ts';
import { argError, checkString, optNumber } from '../../runtime/check.ts';
import { toLuaError } from '../../runtime/error.ts';
import { metaField, metamethod, ProxyUserdata } from '../../runtime/metatable.ts';
import { index, plainString, setIndex } from '../../runtime/ops.ts';
import { state } from '../../runtime/state.ts';
import { LuaTable, weakReads } from '../../runtime/table.ts';
import {
  isTrue,
  type LuaValue,
  type Result,
  SUSPEND,
  type UserdataType,
} from '../../runtime/value.ts';

// ── V8's collector ─────────────────────────────────────────────────────────────────────────────────

/** Reads of weak tables, in units of `poll`, up to the next collection; doubled by each. */
let patience = 1;
let polls = 0;

/**
 * `while weak[1] do … end` waits for a collection, and V8 clears no reference that the same job has read.
 * So now and then there is one: the twentieth after a million units.
 */
weakReads.poll = () => {
  if (++polls < patience) return;
  polls = 0;
  patience *= 2;
  fullCollection();
};

const usedKilobytes = (): number =>
  process.getBuiltinModule('node:v8').getHeapStatistics().used_heap_size / 1024;

// ── userdata with finalizers ───────────────────────────────────────────────────────────────────────

interface Finalizable {
  ref: WeakRef<ProxyUserdata>;
  meta: LuaTable;
}

/** The finalizers and settings of one VM. */
class Collector {
  /** In order of creation. */
  private entries: Finalizable[] = [];
  private readonly owner: Vm;
  isRunning = true;
  pause = 200;
  stepMultiplier = 200;
  /** Kilobytes of `step`s since the last collection. */
  steps = 0;
  /** Kilobytes in use after it. */
  baseline = 0;

  constructor(owner: Vm) {
    this.owner = owner;
    owner.lastWork ??= [];
    owner.lastWork.push(() => this.finishAll());
  }

  add(proxy: ProxyUserdata, meta: LuaTable): void {
    const entry = { ref: new WeakRef(proxy), meta };
    this.entries.push(entry);
    gone.register(proxy, this);
  }

  /** A collection that the program did not ask for has taken some: their finalizers run in a fiber. */
  notice(): void {
    if (!this.owner.isOpen || !this.entries.some((e) => e.ref.deref() === undefined)) return;
    this.owner.scheduler.spawn(() => this.finalize()).detached = true;
  }

  /** The VM ends: whatever still has a finalizer. @returns false: nothing has */
  private finishAll(): boolean {
    if (this.finished || !this.entries.some((e) => metaField(e.meta, '__gc') !== undefined))
      return false;
    this.finished = true;
    const all = this.entries;
    this.entries = [];
    // Errors in them are nobody's. What they make has no finalizer any more.
    const next = (): Result => {
      try {
        const r = this.run(all);
        return r === SUSPEND ? suspendProtected(next, next) : r;
      } catch (thrown) {
        toLuaError(thrown);
        return next();
      }
    };
    this.owner.scheduler.spawn(next).detached = true;
    return true;
  }
  private finished = false;

  /** Run the finalizers of what is gone, newest first. An error leaves the others for the next time. */
  finalize(): Result {
    const dead: Finalizable[] = [];
    const living: Finalizable[] = [];
    for (const entry of this.entries) {
      (entry.ref.deref() === undefined ? dead : living).push(entry);
    }
    if (dead.length === 0) return undefined;
    this.entries = living;
    const rest = (thrown: unknown): never => {
      this.entries = [...dead, ...this.entries];
      throw thrown;
    };
    try {
      const r = this.run(dead);
      return r === SUSPEND ? suspendIn(() => undefined, rest) : r;
    } catch (thrown) {
      return rest(thrown);
    }
  }

  private run(dead: Finalizable[]): Result {
    for (let entry = dead.pop(); entry !== undefined; entry = dead.pop()) {
      const finalizer = metaField(entry.meta, '__gc');
      if (finalizer === undefined) continue;
      const r = call(finalizer, new ProxyUserdata(entry.meta));
      if (r === SUSPEND) return suspendIn(() => this.run(dead));
    }
    return undefined;
  }
}

const gone = new FinalizationRegistry<Collector>((collector) => collector.notice());

const collectors = new WeakMap<Vm, Collector>();
function collectorOf(vm: Vm): Collector {
  let collector = collectors.get(vm);
  if (collector === undefined) collectors.set(vm, (collector = new Collector(vm)));
  return collector;
}

export function newproxy(v: LuaValue): Result {
  let meta: LuaTable | undefined;
  if (v instanceof ProxyUserdata) meta = v.meta;
  else if (v === true) meta = new LuaTable();
  else if (v !== undefined && v !== false) argError(1, 'newproxy', 'boolean or proxy expected');
  const proxy = new ProxyUserdata(meta);
  if (meta !== undefined) collectorOf(currentVm()).add(proxy, meta);
  return proxy;
}

/** Operators but these look for a metamethod by themselves. */
const proxyType: UserdataType = {
  name: undefined,
  index,
  setIndex,
  equals(a, b) {
    const handler = metamethod(a, '__eq');
    // Both must have the same one.
    if (handler === undefined || handler !== metamethod(b, '__eq')) return false;
    const r = one(callMeta(handler, a, b));
    return r === SUSPEND ? r : isTrue(r);
  },
  tostring(self) {
    const handler = metamethod(self, '__tostring');
    return handler === undefined ? plainString(self) : one(call(handler, self));
  },
};
Object.defineProperty(ProxyUserdata.prototype, 'luaType', { value: proxyType });

// ── collectgarbage ─────────────────────────────────────────────────────────────────────────────────

/** All frames of the running thread are data when `next` runs. */
function unwound(next: () => Result): Result {
  state.immediate = true;
  return suspendIn(next);
}

function collect(collector: Collector, result: LuaValue): Result {
  return unwound(() => {
    collector.steps = 0;
    fullCollection();
    patience = 1;
    collector.baseline = usedKilobytes();
    const r = collector.finalize();
    return r === SUSPEND ? suspendIn(() => result) : result;
  });
}

/** What a cycle costs at least, in kilobytes of steps. */
const SHORTEST_CYCLE = 64;

/** A cycle is as many kilobytes of steps as have come into use since the last collection. */
function step(collector: Collector, kilobytes: number): Result {
  collector.steps += Math.max(kilobytes, 1);
  const cycle = Math.max(usedKilobytes() - collector.baseline, SHORTEST_CYCLE);
  return collector.steps >= cycle ? collect(collector, true) : false;
}

export function collectgarbage(option: LuaValue, argument: LuaValue): Result {
  const what = option === undefined ? 'collect' : checkString(option, 1, 'collectgarbage');
  const n = Math.trunc(optNumber(argument, 2, 'collectgarbage', 0));
  const collector = collectorOf(currentVm());
  switch (what) {
    case 'collect':
      return collect(collector, 0);
    case 'step':
      return step(collector, n);
    case 'count':
      return usedKilobytes();
    // V8 collects when it must; a program can only ask what it has said.
    case 'stop':
      collector.isRunning = false;
      return 0;
    case 'restart':
      collector.isRunning = true;
      return 0;
    case 'isrunning':
      return collector.isRunning;
    case 'setpause': {
      const { pause } = collector;
      collector.pause = n;
      return pause;
    }
    case 'setstepmul': {
      const { stepMultiplier } = collector;
      collector.stepMultiplier = n;
      return stepMultiplier;
    }
    default:
      return argError(1, 'collectgarbage', `invalid option '${what}'`);
  }
}

/** The same as `collectgarbage('count')`, in whole kilobytes. */
export const gcinfo = (): number => Math.trunc(usedKilobytes());

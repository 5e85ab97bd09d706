/** V8's collector, called by name. */
import { createContext, runInNewContext, Script } from 'node:vm';
import { watchOwners } from '../io/descriptor.ts';
import { forgetTraversals } from '../runtime/table.ts';

/** What `--expose-gc` gives. */
type Gc = (options: { type: 'major'; flavor?: 'last-resort' } | { type: 'minor' }) => void;

/** Complete, and what is free then is given back to the system. */
const ALL = { type: 'major', flavor: 'last-resort' } as const;

let collector: Gc | undefined;
let endJob: (() => void) | undefined;

function v8Collector(): Gc {
  if (collector === undefined) {
    // Loaded when it is wanted: it brings Node's streams along, which cost a quarter of the time to start.
    process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as Gc;
  }
  return collector;
}

/**
 * V8 holds what a WeakRef was made for, or has given, until the job ends. So it does here, too: where the
 * microtasks of another context are looked for, of which there are none.
 */
export function releaseWeaklyHeld(): void {
  if (endJob === undefined) {
    const context = createContext({}, { microtaskMode: 'afterEvaluate' });
    const nothing = new Script('0');
    endJob = () => nothing.runInContext(context);
  }
  endJob();
}

/** A complete collection; weak references are cleared when it returns. */
export function fullCollection(): void {
  forgetTraversals();
  watchOwners();
  releaseWeaklyHeld();
  v8Collector()(ALL);
}

/** What nobody has any more is found; weak references may stay as they are. */
export function collectGarbage(): void {
  forgetTraversals();
  watchOwners();
  v8Collector()({ type: 'major' });
}

/** What is new becomes old, so that the space for new objects is empty: what survives twice is moved. */
export function promoteAll(): void {
  const gc = v8Collector();
  gc({ type: 'minor' });
  gc({ type: 'minor' });
}

/** Milliseconds between looks; CPU time within them (µs) up to which the process is idle; growth that is worth it. */
const LOOK_EVERY = 2_000;
const IDLE_CPU = 20_000;
const WORTHWHILE = 8 * 2 ** 20;

/**
 * V8 keeps the memory for new objects, and what has died in it, until it needs the room: in a process
 * that only waits, for ever. So where it has grown and nothing goes on, all of it is given back.
 */
export function shrinkWhenIdle(): void {
  let shrunkTo = residentSet();
  if (shrunkTo === undefined) return;
  let { user, system } = process.cpuUsage();
  const timer = setInterval(() => {
    const now = process.cpuUsage();
    const used = now.user + now.system - user - system;
    ({ user, system } = now);
    if (used > IDLE_CPU) return;
    const size = residentSet();
    if (size === undefined) return clearInterval(timer);
    if (size < shrunkTo! + WORTHWHILE) return;
    v8Collector()(ALL);
    shrunkTo = residentSet() ?? size;
    ({ user, system } = process.cpuUsage());
  }, LOOK_EVERY);
  timer.unref();
}

/** undefined: the process may not know (Landlock hides /proc from it). */
function residentSet(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}

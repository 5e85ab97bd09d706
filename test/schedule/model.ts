/**
 * A reference model of mutexes, condition variables, futures, join and interruption, written for
 * clarity only: fibers are lists of instructions, the machine runs one instruction of one fiber at a
 * time. `generate` makes a random program; `simulate` says what it prints under a given choice of the
 * next fiber; `toLua` writes the same program for Perilune.
 */

export type Instruction =
  | { op: 'yield' }
  | { op: 'lock' | 'unlock' | 'trylock'; m: number }
  | { op: 'wait'; c: number; m: number }
  | { op: 'notify' | 'notifyAll'; c: number }
  | { op: 'get'; f: number }
  | { op: 'set'; f: number }
  | { op: 'interrupt'; fiber: number }
  | { op: 'join'; fiber: number };

export interface Program {
  fibers: Instruction[][];
  mutexes: number;
  conditions: number;
  futures: number;
}

export function generate(random: () => number): Program {
  const pick = (n: number): number => Math.floor(random() * n);
  const count = 2 + pick(4);
  const program: Program = {
    fibers: [],
    mutexes: 1 + pick(2),
    conditions: 1 + pick(2),
    futures: 1 + pick(2),
  };
  for (let i = 0; i < count; i++) {
    const body: Instruction[] = [];
    const length = 2 + pick(8);
    for (let n = 0; n < length; n++) {
      const m = pick(program.mutexes);
      const c = pick(program.conditions);
      switch (pick(11)) {
        case 0:
        case 1:
          body.push({ op: 'yield' });
          break;
        case 2:
        case 3:
          body.push({ op: 'lock', m }, { op: 'yield' }, { op: 'unlock', m });
          break;
        case 4:
          body.push({ op: 'lock', m }, { op: 'wait', c, m }, { op: 'unlock', m });
          break;
        case 5:
          body.push({ op: 'notify', c });
          break;
        case 6:
          body.push({ op: 'notifyAll', c });
          break;
        case 7:
          body.push({ op: 'get', f: pick(program.futures) });
          break;
        case 8:
          body.push({ op: 'set', f: pick(program.futures) });
          break;
        case 9:
          body.push({ op: 'interrupt', fiber: pick(count) });
          break;
        default:
          body.push(random() < 0.5 ? { op: 'trylock', m } : { op: 'join', fiber: pick(count) });
      }
    }
    program.fibers.push(body);
  }
  return program;
}

/** The same program in Lua: each instruction prints `fiber:instruction outcome`. */
export function toLua({ fibers, mutexes, conditions, futures }: Program): string {
  const lines = [
    'local M, C, P, F, fibers = {}, {}, {}, {}, {}',
    `for i = 0, ${mutexes - 1} do M[i] = require('mutex').new() end`,
    `for i = 0, ${conditions - 1} do C[i] = require('condition_variable').new() end`,
    `for i = 0, ${futures - 1} do P[i], F[i] = require('future').new() end`,
    // An interruption that is pending would be raised by pcall itself: look at the outcome inside.
    'local function try(name, f, ...)',
    '  local r = { pcall(f, ...) }',
    "  print(name .. ' ' .. (r[1] and 'ok' or tostring(r[2])) .. (r[2] == false and ' false' or ''))",
    'end',
  ];
  fibers.forEach((body, i) => {
    lines.push(`fibers[${i}] = spawn(function()`);
    body.forEach((instruction, n) => lines.push(`  try('${i}:${n}', ${luaCall(instruction)})`));
    lines.push(`  print('${i} ends')`, 'end)');
  });
  return `${lines.join('\n')}\n`;
}

function luaCall(x: Instruction): string {
  switch (x.op) {
    case 'yield':
      return 'this_fiber.yield';
    case 'lock':
      return `M[${x.m}].lock, M[${x.m}]`;
    case 'unlock':
      return `M[${x.m}].unlock, M[${x.m}]`;
    case 'trylock':
      return `M[${x.m}].try_lock, M[${x.m}]`;
    case 'wait':
      return `C[${x.c}].wait, C[${x.c}], M[${x.m}]`;
    case 'notify':
      return `C[${x.c}].notify_one, C[${x.c}]`;
    case 'notifyAll':
      return `C[${x.c}].notify_all, C[${x.c}]`;
    case 'get':
      return `F[${x.f}].get, F[${x.f}]`;
    case 'set':
      return `P[${x.f}].set_value, P[${x.f}], 1`;
    case 'interrupt':
      return `fibers[${x.fiber}].interrupt, fibers[${x.fiber}]`;
    case 'join':
      return `fibers[${x.fiber}].join, fibers[${x.fiber}]`;
  }
}

const INTERRUPTED = 'Fiber interrupted';
const EPERM = 'Operation not permitted';

interface FiberModel {
  id: number;
  body: Instruction[];
  at: number;
  interrupt: boolean;
  joinable: boolean;
  /** 'ready', 'ended', or what it waits in. */
  state: 'ready' | 'ended' | 'lock' | 'relock' | 'cond' | 'future' | 'join';
  /** How the operation that it waits for came out; printed when it runs next. */
  outcome: string | undefined;
  /** The mutex to lock again after a wait, and how the wait ended. */
  relock: { m: number; outcome: string } | undefined;
  failed: string | undefined;
  joiner: FiberModel | undefined;
}

/**
 * What the program prints.
 * @param choose  the next of n fibers that can run, oldest first
 */
export function simulate(program: Program, choose: (n: number) => number): string {
  let output = '';
  const ready: FiberModel[] = [];
  const mutexes = Array.from({ length: program.mutexes }, () => ({
    locked: false,
    queue: [] as FiberModel[],
  }));
  const conditions = Array.from({ length: program.conditions }, () => [] as FiberModel[]);
  const futures = Array.from({ length: program.futures }, () => ({
    set: false,
    queue: [] as FiberModel[],
  }));
  const fibers: FiberModel[] = program.fibers.map((body, id) => ({
    id,
    body,
    at: 0,
    interrupt: false,
    joinable: true,
    state: 'ready',
    outcome: undefined,
    relock: undefined,
    failed: undefined,
    joiner: undefined,
  }));
  ready.push(...fibers);

  const wake = (f: FiberModel, outcome: string): void => {
    f.state = 'ready';
    f.outcome = outcome;
    ready.push(f);
  };
  const unlock = (m: number): void => {
    const next = mutexes[m]!.queue.shift();
    if (next === undefined) mutexes[m]!.locked = false;
    else wake(next, 'ok');
  };
  const end = (f: FiberModel, failed: string | undefined): void => {
    f.state = 'ended';
    f.failed = failed;
    if (f.joiner === undefined) return;
    // It goes on where the other ended: before all that is ready.
    wake(f.joiner, 'ok');
    ready.unshift(ready.pop()!);
  };
  const interrupt = (f: FiberModel): void => {
    // Without effect on handles that can't be joined any more, unless somebody is joining it.
    if (!f.joinable && f.joiner === undefined) return;
    f.interrupt = true;
    switch (f.state) {
      case 'cond':
        for (const queue of conditions) remove(queue, f);
        wake(f, INTERRUPTED);
        break;
      case 'future':
        for (const { queue } of futures) remove(queue, f);
        wake(f, INTERRUPTED);
        break;
      case 'join':
        for (const other of fibers) {
          if (other.joiner === f) {
            other.joiner = undefined;
            other.joinable = true;
          }
        }
        wake(f, INTERRUPTED);
        break;
      default: // a lock can't be interrupted
    }
  };

  /** Start an instruction: its outcome, or undefined when the fiber waits now. */
  const start = (f: FiberModel, x: Instruction): string | undefined => {
    switch (x.op) {
      case 'yield':
        if (f.interrupt) return INTERRUPTED;
        wake(f, 'ok');
        return undefined;
      case 'lock': {
        const m = mutexes[x.m]!;
        if (!m.locked) {
          m.locked = true;
          return 'ok';
        }
        m.queue.push(f);
        f.state = 'lock';
        return undefined;
      }
      case 'unlock':
        if (!mutexes[x.m]!.locked) return EPERM;
        unlock(x.m);
        return 'ok';
      case 'trylock':
        if (mutexes[x.m]!.locked) return 'ok false';
        mutexes[x.m]!.locked = true;
        return 'ok';
      case 'wait':
        if (!mutexes[x.m]!.locked) return EPERM;
        if (f.interrupt) return INTERRUPTED;
        conditions[x.c]!.push(f);
        f.state = 'cond';
        f.relock = { m: x.m, outcome: '' };
        unlock(x.m);
        return undefined;
      case 'notify': {
        const next = conditions[x.c]!.shift();
        if (next !== undefined) wake(next, 'ok');
        return 'ok';
      }
      case 'notifyAll':
        for (
          let next = conditions[x.c]!.shift();
          next !== undefined;
          next = conditions[x.c]!.shift()
        )
          wake(next, 'ok');
        return 'ok';
      case 'get':
        if (f.interrupt) return INTERRUPTED;
        if (futures[x.f]!.set) return 'ok';
        futures[x.f]!.queue.push(f);
        f.state = 'future';
        return undefined;
      case 'set': {
        const future = futures[x.f]!;
        if (future.set) return 'Promise already satisfied';
        future.set = true;
        for (const waiting of future.queue.splice(0)) wake(waiting, 'ok');
        return 'ok';
      }
      case 'interrupt':
        interrupt(fibers[x.fiber]!);
        return 'ok';
      case 'join': {
        const target = fibers[x.fiber]!;
        if (f.interrupt) return INTERRUPTED;
        if (!target.joinable) return 'Invalid argument';
        if (target === f) return 'Resource deadlock avoided';
        target.joinable = false;
        if (target.state === 'ended') return 'ok';
        target.joiner = f;
        f.state = 'join';
        return undefined;
      }
    }
  };

  /** pcall raises a pending interruption itself, out of the fiber: it ends there. */
  const run = (f: FiberModel): void => {
    let outcome = f.outcome;
    f.outcome = undefined;
    for (;;) {
      if (outcome !== undefined && f.relock !== undefined) {
        // The wait is over; the mutex comes first.
        const { m } = f.relock;
        if (f.relock.outcome === '') {
          f.relock.outcome = outcome;
          if (mutexes[m]!.locked) {
            mutexes[m]!.queue.push(f);
            f.state = 'relock';
            return;
          }
          mutexes[m]!.locked = true;
        }
        outcome = f.relock.outcome;
        f.relock = undefined;
      }
      if (outcome !== undefined) {
        output += `${f.id}:${f.at} ${outcome}\n`;
        f.at++;
      }
      if (f.at === f.body.length) {
        output += `${f.id} ends\n`;
        end(f, undefined);
        return;
      }
      if (f.interrupt) {
        end(f, INTERRUPTED);
        return;
      }
      outcome = start(f, f.body[f.at]!);
      if (outcome === undefined) return;
    }
  };

  while (ready.length > 0) {
    // The scheduler exchanges the chosen fiber with the oldest.
    const at = choose(ready.length);
    const f = ready[at]!;
    ready[at] = ready[0]!;
    ready.shift();
    run(f);
  }
  return output;
}

function remove(queue: FiberModel[], f: FiberModel): void {
  const at = queue.indexOf(f);
  if (at >= 0) queue.splice(at, 1);
}

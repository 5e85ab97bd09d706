/**
 * `require 'future'`: a value, or an error, that many fibers may wait for. The promise's collection
 * while it is unset breaks it, so the two halves share a state that doesn't refer to the promise.
 */
import { WaitQueue } from '../fibers/queue.ts';
import { suspend } from '../fibers/suspend.ts';
import { type Receiver, Waitable } from '../fibers/waitable.ts';
import { LuaError } from '../runtime/error.ts';
import { badArgument, coreError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

class SharedState {
  /** Set once. */
  outcome: { value: LuaValue; error: unknown } | undefined = undefined;
  readonly waiters = new WaitQueue<Receiver>();

  settle(value: LuaValue, error: unknown): void {
    this.outcome = { value, error };
    for (let w = this.waiters.shift(); w !== undefined; w = this.waiters.shift()) {
      if (error === undefined) w.wake(value);
      else w.fail(error);
    }
  }
}

class Promise extends Userdata {
  readonly shared: SharedState;
  constructor(shared: SharedState) {
    super();
    this.shared = shared;
  }
}

class Future extends Waitable {
  readonly shared: SharedState;
  constructor(shared: SharedState) {
    super();
    this.shared = shared;
  }

  poll(receiver: Receiver): boolean {
    const { outcome } = this.shared;
    if (outcome === undefined) return false;
    if (outcome.error === undefined) receiver.wake(outcome.value);
    else receiver.fail(outcome.error);
    return true;
  }

  subscribe(receiver: Receiver): () => void {
    const { waiters } = this.shared;
    waiters.push(receiver);
    return () => waiters.remove(receiver);
  }
}

const abandoned = new FinalizationRegistry<SharedState>((shared) => {
  if (shared.outcome === undefined) shared.settle(undefined, coreError('broken_promise'));
});

function create(): Result {
  const shared = new SharedState();
  const promise = new Promise(shared);
  abandoned.register(promise, shared);
  return [promise, new Future(shared)];
}

const get = (self: Future): Result =>
  suspend((waiter) => {
    waiter.waitsFor = self;
    return self.poll(waiter) ? undefined : self.subscribe(waiter);
  });

function set(self: Promise, value: LuaValue, error: unknown): Result {
  const { shared } = self;
  if (shared.outcome !== undefined) throw coreError('promise_already_satisfied');
  shared.settle(value, error);
  return NONE;
}

luaType('future', Future, { methods: { get } });
luaType('promise', Promise, {
  methods: {
    set_value: (self, value: LuaValue) => set(self, value, undefined),
    set_error: (self, error: LuaValue) => {
      if (error === undefined) throw badArgument(2);
      return set(self, undefined, new LuaError(error));
    },
  },
});

export const future = luaModule('future', { new: create });

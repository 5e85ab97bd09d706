/**
 * Structured concurrency: fibers whose ends are awaited, come what may, before their owner goes on.
 * The first one that fails interrupts the others, and its error is the group's.
 */
import { suspendIn } from '../runtime/call.ts';
import type { LuaError } from '../runtime/error.ts';
import { isInterrupted } from '../runtime/error-code.ts';
import { type LuaFunction, NONE, type Result, SUSPEND, Userdata } from '../runtime/value.ts';
import type { Fiber, Waiter } from './fiber.ts';
import { originHere } from './origin.ts';
import { currentFiber } from './scheduler.ts';
import { interrupt, suspendToEnd, suspensionPoint } from './suspend.ts';

export class FiberGroup extends Userdata {
  /** Children that have not ended. */
  private readonly running = new Set<Fiber>();
  private waiter: Waiter | undefined = undefined;
  /** Of the first child that failed. */
  error: LuaError | undefined = undefined;
  cancelled = false;
  closed = false;

  spawn(body: LuaFunction): Fiber {
    const parent = currentFiber();
    const child = parent.scheduler.spawn(body);
    child.origin = originHere(parent);
    this.running.add(child);
    child.onEnd(() => this.childEnded(child));
    if (this.cancelled) interrupt(child);
    return child;
  }

  private childEnded(child: Fiber): void {
    this.running.delete(child);
    const { error } = child;
    if (error !== undefined) {
      child.scheduler.forgetFailure(child);
      if (this.error === undefined && !isInterrupted(error.value)) {
        this.error = error;
        this.cancel();
      }
    }
    const { waiter } = this;
    if (waiter === undefined) return;
    if (this.running.size === 0) waiter.wake(NONE);
    else if (waiter.waitsFor === child) waiter.waitsFor = this.oldest();
  }

  private oldest(): Fiber | undefined {
    for (const child of this.running) return child;
    return undefined;
  }

  /** Interrupt all children, and those that are still to come. */
  cancel(): void {
    this.cancelled = true;
    for (const child of [...this.running]) interrupt(child);
  }

  /** Wait for all children; being interrupted meanwhile interrupts them. */
  private wait(): Result {
    if (this.running.size === 0) return NONE;
    return suspendToEnd((waiter) => {
      this.waiter = waiter;
      waiter.waitsFor = this.oldest();
      return () => this.cancel();
    });
  }

  /** `f(group)`, then the ends of all children: the results of f, or the first error. */
  run(f: LuaFunction, call: (f: LuaFunction, group: FiberGroup) => Result): Result {
    suspensionPoint();
    let failure: unknown;
    let result: Result = NONE;
    const finish = (): Result => {
      this.closed = true;
      if (failure !== undefined) throw failure;
      if (this.error !== undefined) throw this.error;
      suspensionPoint(true, false); // an interruption has ended the children early
      return result;
    };
    const all = (): Result => {
      const r = this.wait();
      return r === SUSPEND ? suspendIn(() => (this.running.size > 0 ? all() : finish())) : finish();
    };
    const failed = (error: unknown): Result => {
      failure = error;
      this.cancel();
      return all();
    };
    const done = (r: Result): Result => {
      result = r;
      try {
        suspensionPoint(false);
      } catch (error) {
        return failed(error); // f has forbidden it: the children end all the same
      }
      return all();
    };
    let r: Result;
    try {
      r = call(f, this);
    } catch (error) {
      return failed(error);
    }
    return r === SUSPEND ? suspendIn(done, failed) : done(r);
  }
}

/**
 * Work that takes long, done in slices: system calls that return at once, thousands of them. Between two
 * slices the event loop has its turn, and one other fiber that waits for a slice. That is also where such
 * work is interrupted. Where suspending is forbidden, it runs to its end.
 *
 * A slice is counted from the first piece of work in a turn of the loop, whichever fibers do it: many short
 * calls give way as one long one does. docs/decisions/0014.
 */
import type { Waiter } from '../fibers/fiber.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { suspend } from '../fibers/suspend.ts';
import type { Closable } from '../io/group.ts';
import { isTimeVirtual, startTimer } from '../io/timer.ts';
import { suspendIn } from '../runtime/call.ts';
import { NONE, type Result, SUSPEND } from '../runtime/value.ts';
import { currentIo } from './current-io.ts';

/** Milliseconds. */
let slice = 1;

/** For tests: 0 gives way after every step. @returns what it was */
export function setSlice(milliseconds: number): number {
  const before = slice;
  slice = milliseconds;
  return before;
}

/** When this turn's work began; 0: not yet. */
let began = 0;
const waiting: Waiter[] = [];
let turnIsDue = false;

function newTurn(): void {
  began = 0;
}

/** On a test's clock no time passes while there is work: slices are so many steps then, the same in each run. */
const VIRTUAL_SLICE = 8;
let steps = 0;

/** A run begins that shall be as others are. */
export function restartSlices(): void {
  steps = 0;
}

/** Whether to give way now: the slice is used up, and the fiber may suspend. */
export function isSliceOver(): boolean {
  if (isTimeVirtual()) {
    return ++steps % VIRTUAL_SLICE === 0 && currentFiber().suspendForbidden === 0;
  }
  const now = performance.now();
  if (began === 0) {
    began = now;
    setImmediate(newTurn);
  }
  return now - began >= slice && currentFiber().suspendForbidden === 0;
}

function inNextTurn(run: () => void): void {
  if (isTimeVirtual()) startTimer(0, run);
  else setImmediate(run);
}

/** Wait for the next slice. @throws LuaError  interrupted */
export function giveWay(): Result {
  return suspend((waiter) => {
    waiting.push(waiter);
    if (!turnIsDue) {
      turnIsDue = true;
      inNextTurn(nextSlice);
    }
    return () => {
      waiting.splice(waiting.indexOf(waiter), 1);
    };
  });
}

/** One a turn: together they'd hold up the loop. */
function nextSlice(): void {
  newTurn();
  const waiter = waiting.shift();
  turnIsDue = waiting.length > 0;
  if (turnIsDue) inNextTurn(nextSlice);
  waiter?.wake(NONE);
}

/** A piece of work, and what it has open meanwhile. */
export interface Job extends Closable {
  /** Do a little, a millisecond at most. @returns true: it is done */
  step(): boolean;
}

/**
 * Do it all. Whatever becomes of it, the job is closed, also when the VM ends meanwhile.
 * @param result  once it is done
 * @param fail    what a thrown error becomes for Lua
 */
export function runInSlices(
  job: Job,
  result: () => Result,
  fail: (thrown: unknown) => unknown,
): Result {
  const io = currentIo();
  io.add(job);
  const end = (): void => {
    io.delete(job);
    job.close();
  };
  const goOn = (): Result => {
    try {
      while (!job.step()) {
        if (isSliceOver() && giveWay() === SUSPEND) {
          return suspendIn(goOn, (error) => {
            end();
            throw error;
          });
        }
      }
    } catch (error) {
      end();
      throw fail(error);
    }
    end();
    return result();
  };
  return goOn();
}

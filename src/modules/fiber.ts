/** Fibers as Lua sees them: `spawn`, the handle, `this_fiber`. */
import { currentVm } from '../actors/vm.ts';
import { Fiber, Waiter } from '../fibers/fiber.ts';
import { originHere } from '../fibers/origin.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { popCleanup, pushCleanup, scope } from '../fibers/scope.ts';
import { interrupt, park, suspensionPoint } from '../fibers/suspend.ts';
import { checkFunction } from '../runtime/check.ts';
import { badArgument, codeError, coreError, isInterrupted } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../runtime/value.ts';
import { luaType, type MemberTable } from './define.ts';

// ── spawn and the handle ───────────────────────────────────────────────────────────────────────────

function spawn(f: LuaValue): Fiber {
  const parent = currentFiber();
  const fiber = parent.scheduler.spawn(checkFunction(f, 1, 'spawn'));
  fiber.origin = originHere(parent);
  return fiber;
}

function join(self: Fiber): Result {
  const me = suspensionPoint();
  if (!self.joinable) throw badArgument(1);
  if (self === me) throw codeError('EDEADLK');
  self.joinable = false;
  if (self.ended) return joined(self);
  // When the target ends, the scheduler says so.
  const waiter = new Waiter(me, true);
  waiter.waitsFor = self;
  waiter.undo = forgetJoin;
  self.joiner = waiter;
  return park(waiter);
}

/** The joiner is interrupted: somebody may join later. */
function forgetJoin(waiter: Waiter): void {
  const target = waiter.waitsFor as Fiber;
  target.joiner = undefined;
  target.joinable = true;
}

/** The fiber had ended before. */
function joined(self: Fiber): Result {
  self.scheduler.forgetFailure(self);
  const { error } = self;
  if (error === undefined) {
    self.interruptionCaught = false;
    return self.result;
  }
  self.interruptionCaught = isInterrupted(error.value);
  if (self.interruptionCaught) return NONE;
  throw error;
}

function detach(self: Fiber): Result {
  if (!self.joinable) throw badArgument(1);
  self.joinable = false;
  self.detached = true;
  self.scheduler.forgetFailure(self);
  if (self.error !== undefined) self.scheduler.report(self.id, self.error, self.origin);
  return NONE;
}

function interruptFiber(self: Fiber): Result {
  if (self.joinable || self.joiner !== undefined) interrupt(self);
  return NONE;
}

function interruptionCaught(self: Fiber): boolean {
  if (self.interruptionCaught === undefined) throw codeError('EINVAL');
  return self.interruptionCaught;
}

luaType('fiber', Fiber, {
  methods: { join, detach, interrupt: interruptFiber, cancel: interruptFiber },
  properties: {
    joinable: (self) => self.joinable,
    interruption_caught: interruptionCaught,
    cancellation_caught: interruptionCaught,
  },
});

// ── this_fiber ─────────────────────────────────────────────────────────────────────────────────────

/** Fibers of modules count as the one of the program's main module. */
const visibleId = (fiber: Fiber): number =>
  fiber.isModule ? (currentVm().mainFiber ?? fiber).id : fiber.id;

/** Always the fiber that runs. */
class ThisFiber extends Userdata {}

function yieldFiber(): Result {
  const fiber = suspensionPoint();
  return fiber.scheduler.yield(fiber);
}

function forbid(): Result {
  currentFiber().suspendForbidden++;
  return NONE;
}
function allow(): Result {
  const fiber = currentFiber();
  if (fiber.suspendForbidden === 0) throw coreError('suspension_already_allowed');
  fiber.suspendForbidden--;
  return NONE;
}
/** Module fibers are never interrupted: there this and its counterpart only count. */
function disableInterruption(): Result {
  currentFiber().uninterruptible++;
  return NONE;
}
function restoreInterruption(): Result {
  const fiber = currentFiber();
  if (fiber.uninterruptible === fiber.uninterruptibleBase) {
    throw coreError('interruption_already_allowed');
  }
  fiber.uninterruptible--;
  return NONE;
}

luaType('this_fiber', ThisFiber, {
  properties: {
    yield: () => yieldFiber,
    forbid_suspend: () => forbid,
    allow_suspend: () => allow,
    disable_interruption: () => disableInterruption,
    restore_interruption: () => restoreInterruption,
    disable_cancellation: () => disableInterruption,
    restore_cancellation: () => restoreInterruption,
    local_: () => currentFiber().locals,
    is_main: () => currentFiber().isModule,
    id: () => `0x${visibleId(currentFiber()).toString(16)}`,
  },
});

const thisFiber = new ThisFiber();

/** `spawn`, `this_fiber` and the scopes: what each module finds among its globals. */
export const fiberGlobals: MemberTable = {
  spawn,
  this_fiber: thisFiber,
  scope,
  scope_cleanup_push: pushCleanup,
  scope_cleanup_pop: popCleanup,
};

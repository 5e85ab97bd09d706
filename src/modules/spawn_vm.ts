/** Actors as their makers see them: `spawn_vm`, and the sending end. */
import { spawnActor } from '../actors/actor.ts';
import { addressFor, TxChannel } from '../actors/address.ts';
import { Mailbox } from '../actors/mailbox.ts';
import { makeMessage, makeRequest } from '../actors/message.ts';
import { receiveFrom, sendTo } from '../actors/receive.ts';
import { currentVm, type Vm } from '../actors/vm.ts';
import type { Fiber } from '../fibers/fiber.ts';
import { currentFiber } from '../fibers/scheduler.ts';
import { startTimer } from '../io/timer.ts';
import { suspendIn } from '../runtime/call.ts';
import { checkDuration } from '../runtime/check.ts';
import { badArgument, codeError, coreError } from '../runtime/error-code.ts';
import { LuaTable, rawGetString, tableOf } from '../runtime/table.ts';
import { type LuaValue, NONE, type Result, SUSPEND } from '../runtime/value.ts';
import { luaType } from './define.ts';

/** `spawn_vm(module)`, `spawn_vm { module =, inherit_context =, concurrency_hint =, new_master = }` */
export function spawnVm(vm: Vm, options: LuaValue, file: LuaValue): TxChannel {
  if (typeof options === 'string') return spawnActor(vm, options, file, false);
  if (!(options instanceof LuaTable)) throw badArgument(1);
  const module = rawGetString(options, 'module');
  if (typeof module !== 'string') throw badArgument('module');
  if (rawGetString(options, 'subprocess') !== undefined) throw codeError('ENOTSUP');
  if (rawGetString(options, 'inherit_context') === false) throw codeError('ENOTSUP');
  const isNewMaster = rawGetString(options, 'new_master') === true;
  if (isNewMaster && !vm.isMaster) throw codeError('EPERM');
  return spawnActor(vm, module, file, isNewMaster);
}

function send(self: TxChannel, ...args: LuaValue[]): Result {
  if (args.length === 0) throw badArgument(2);
  return sendTo(self, () => makeMessage(args[0]));
}

/** `channel:request(value[, seconds])`: sends {request=, reply=}, and waits for what is sent to `reply`. */
function request(self: TxChannel, ...args: LuaValue[]): Result {
  if (args.length === 0) throw badArgument(2);
  const fiber = currentFiber();
  const answer = new Mailbox(currentVm(), 'channel_closed');
  answer.highWater = 1;
  const deadline =
    args[1] === undefined ? undefined : startDeadline(fiber, checkDuration(args[1], 3, 'request'));
  const close = (r: Result): Result => {
    deadline?.cancel();
    answer.close();
    return r;
  };
  const fail = (thrown: unknown): never => {
    close(NONE);
    throw thrown;
  };
  const wait = (): Result => {
    if (deadline?.isOver) return fail(codeError('ETIMEDOUT'));
    return tryThen(() => receiveFrom(answer, self, deadline !== undefined), close, fail);
  };
  return tryThen(() => sendTo(self, () => makeRequest(args[0], new TxChannel(answer))), wait, fail);
}

/** Run it; `then` gets its result, now or after a suspension, and `fail` its error. */
function tryThen(
  body: () => Result,
  then: (r: Result) => Result,
  fail: (thrown: unknown) => never,
): Result {
  let r: Result;
  try {
    r = body();
  } catch (thrown) {
    return fail(thrown);
  }
  return r === SUSPEND ? suspendIn(then, fail) : then(r);
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
  const vm = currentVm();
  const { mailbox } = vm;
  // A message will come: whoever waits for it isn't told that nobody can send.
  mailbox.retain();
  const channel = addressFor(self.recipient, vm);
  self.recipient.onDeath((reason) => {
    mailbox.deliver({ value: tableOf({ down: true, channel, reason }), owned: [] });
    mailbox.release();
  });
  return NONE;
}

luaType('tx-channel', TxChannel, {
  methods: {
    send,
    request,
    monitor,
    close: (self) => {
      self.close();
      return NONE;
    },
  },
  equals: (a, b) => a instanceof TxChannel && b instanceof TxChannel && a.recipient === b.recipient,
});

/** Taking messages out of a mailbox, and putting them in, as fibers do. */
import { type Fiber, Waiter } from '../fibers/fiber.ts';
import { park, suspend, suspensionPoint } from '../fibers/suspend.ts';
import type { Outside } from '../fibers/waitable.ts';
import { suspendIn } from '../runtime/call.ts';
import { coreError } from '../runtime/error-code.ts';
import { type LuaValue, type Result, SUSPEND } from '../runtime/value.ts';
import type { TxChannel } from './address.ts';
import type { Mailbox, Message } from './mailbox.ts';
import { type Tracer, tracing } from './trace.ts';

/**
 * The next message. Suspends until there is one.
 * @param end      what the fiber is said to wait for
 * @param hasTime  a timer may end it
 */
export function receiveFrom(mailbox: Mailbox, end: Outside, hasTime = false): Result {
  const fiber = suspensionPoint();
  const taken = mailbox.take();
  if (taken !== undefined) return taken.value;
  const waiter = new Waiter(fiber, true);
  mailbox.listen(waiter, hasTime ? undefined : end);
  return park(waiter);
}

/**
 * Send: the others run first, before the fiber goes on; while there is no room for the message it waits.
 * @param make  makes the message, once it is clear that it can be sent
 * @param data  it is a copy of this; undefined: it is more than that
 */
export function sendTo(channel: TxChannel, make: () => Message, data?: LuaValue): Result {
  const fiber = suspensionPoint();
  const { recipient } = channel;
  if (!channel.isOpen || recipient.closed) throw coreError('channel_closed');
  if (tracing.on !== undefined) return sendTraced(tracing.on, fiber, channel, make());
  if (data !== undefined && recipient.offerData?.(data) === true)
    return fiber.scheduler.yield(fiber);
  const message = make();
  if (recipient.offer(message)) return fiber.scheduler.yield(fiber);
  return waitForRoom(channel, message);
}

/** Until there is room, or the receiver or this handle of it is closed. */
function waitForRoom(channel: TxChannel, message: Message): Result {
  channel.senders ??= new Set();
  const { senders, recipient } = channel;
  let sender: Waiter | undefined;
  const r = suspend((waiter) => {
    sender = waiter;
    waiter.waitsFor = channel;
    senders.add(waiter);
    return recipient.awaitRoom(waiter, message);
  });
  const done = (value: Result): Result => {
    senders.delete(sender!);
    return value;
  };
  const fail = (thrown: unknown): never => {
    senders.delete(sender!);
    throw thrown;
  };
  return r === SUSPEND ? suspendIn(done, fail) : done(r);
}

function sendTraced(trace: Tracer, fiber: Fiber, channel: TxChannel, made: Message): Result {
  const { recipient } = channel;
  const from = trace.actorOf(fiber.scheduler);
  const to = trace.endOf(recipient);
  const message = { ...made, stamp: trace.sent(from, to, made.value) };
  if (recipient.offer(message)) return fiber.scheduler.yield(fiber);
  trace.waits(message.stamp, to);
  return waitForRoom(channel, message);
}

/** Sending to actors in other processes, as fibers do. */

import { currentFiber } from '../fibers/scheduler.ts';
import { suspensionPoint } from '../fibers/suspend.ts';
import { PENDING } from '../io/operation.ts';
import { coreError, systemCategory } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, SUSPEND } from '../runtime/value.ts';
import { begin, type Convert, countAsDone, end, mayGoOn, raise } from './fiber-io.ts';
import { encodeScalar } from './frame.ts';
import type { IpcChannel } from './ipc-channel.ts';
import { frame, Letter } from './letter.ts';
import { tracing } from './trace.ts';

const sent: Convert = (result) => (result >= 0 ? NONE : raise(result));

/** Suspends while the socket is full; then the others run, before the fiber goes on. */
export function sendLetter(channel: IpcChannel, value: LuaValue): Result {
  if (typeof value !== 'object' && tracing.on === undefined) {
    const result = sendScalar(channel, value);
    if (result < 0 && result !== PENDING) raise(result);
    if (result !== PENDING) return currentFiber().scheduler.yield(currentFiber());
  }
  const op = begin();
  if (!channel.isOpen) throw coreError('channel_closed');
  const trace = tracing.on;
  const to = trace?.endOf(channel);
  const letter = new Letter(value, channel, to?.actor);
  const { sender } = channel;
  // First: the answer may be there before this goes on.
  const stamp = trace?.sent(
    trace.actorOf(currentFiber().scheduler),
    to,
    value,
    trace.viaOfChannel(channel),
  );
  op.owner = channel;
  const started = sender.sendPacket(op, letter.bytes, letter.length, letter.fds);
  if (started !== PENDING) {
    if (!letter.isPlain) letter.close(started >= 0);
    if (started < 0) trace?.dropped(channel, stamp, brokenBy(started));
    const result = end(op, started, sent, false);
    return result === SUSPEND ? result : currentFiber().scheduler.yield(currentFiber());
  }
  trace?.waits(stamp!, to);
  return end(op, started, (result) => {
    if (!letter.isPlain) letter.close(result >= 0);
    if (result < 0) trace?.dropped(channel, stamp, brokenBy(result));
    if (result < 0 && !channel.isOpen) throw coreError('channel_closed');
    return sent(result, undefined);
  });
}

/** What most messages are, most of the time. @returns what was sent, -errno; or PENDING: it is for a letter, or has to wait */
function sendScalar(channel: IpcChannel, value: LuaValue): number {
  if (typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'boolean')
    return PENDING;
  const fiber = suspensionPoint();
  const length = mayGoOn(fiber) ? encodeScalar(value, frame) : undefined;
  if (length === undefined) return PENDING;
  const result = channel.sender.trySend(frame, length);
  if (result !== PENDING) countAsDone(fiber);
  return result;
}

const brokenBy = (result: number): string =>
  result < PENDING ? 'its sender waits no longer' : systemCategory.describe(-result);

/** Sending to actors in other processes, as fibers do. */

import { currentFiber } from '../fibers/scheduler.ts';
import { PENDING } from '../io/operation.ts';
import { coreError } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result, SUSPEND } from '../runtime/value.ts';
import { begin, type Convert, end, raise } from './fiber-io.ts';
import type { IpcChannel } from './ipc-channel.ts';
import { Letter } from './letter.ts';

const sent: Convert = (result) => (result >= 0 ? NONE : raise(result));

/** Suspends while the socket is full; then the others run, before the fiber goes on. */
export function sendLetter(channel: IpcChannel, value: LuaValue): Result {
  const op = begin();
  if (!channel.isOpen) throw coreError('channel_closed');
  const letter = new Letter(value);
  const { sender } = channel;
  op.owner = channel;
  const started = sender.sendPacket(op, letter.bytes, letter.length, letter.fds);
  if (started !== PENDING) {
    if (!letter.isPlain) letter.close(started >= 0);
    const result = end(op, started, sent);
    return result === SUSPEND ? result : currentFiber().scheduler.yield(currentFiber());
  }
  return end(op, started, (result) => {
    if (!letter.isPlain) letter.close(result >= 0);
    if (result < 0 && !channel.isOpen) throw coreError('channel_closed');
    return sent(result, undefined);
  });
}

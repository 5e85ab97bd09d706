/**
 * A directory for those who can't open anything: what is beneath it is asked of who has the directory itself
 * (io/directory-server.ts). The class is here, and not in its module, since messages carry such objects.
 */
import { closeWithOwner } from '../io/descriptor.ts';
import { Asking, type Received } from '../io/directory-client.ts';
import { encodeQuestion, OPEN, type Question } from '../io/directory-protocol.ts';
import { IoGroup } from '../io/group.ts';
import { duplicate } from '../io/owned-fd.ts';
import { PacketSender } from '../io/packet.ts';
import { tryThen } from '../runtime/call.ts';
import { codeError } from '../runtime/error-code.ts';
import { NONE, type Result, Userdata } from '../runtime/value.ts';
import { currentIo } from './current-io.ts';
import { begin, end, raise } from './fiber-io.ts';
import { fdOnItsWay } from './file-descriptor.ts';
import type { Holder, Owned } from './mailbox.ts';

/** In messages: they belong to no VM. */
const onTheirWay = new IoGroup();

/** Called before the first one is made: what Lua sees of them is loaded then. */
let prepare: (() => unknown) | undefined;
export function beforeDirectoryHandles(f: () => unknown): void {
  prepare = f;
}

export class DirectoryHandle extends Userdata implements Owned {
  readonly sender: PacketSender;

  /** @param fd  the end of a pair to ask through, which belongs to it from now on */
  constructor(fd: number, group: IoGroup = onTheirWay) {
    super();
    prepare?.();
    prepare = undefined;
    this.sender = new PacketSender(fd, group);
    closeWithOwner(this, this.sender);
  }

  get isOpen(): boolean {
    return this.sender.isOpen;
  }

  /** The same directory, for a message. EMFILE */
  copy(): DirectoryHandle {
    return new DirectoryHandle(duplicate(this.sender.fd));
  }

  /** That of a message, which goes elsewhere in this process. @returns the number of its socket */
  leave(): number {
    return this.sender.release();
  }

  adopt({ io }: Holder): void {
    this.sender.moveTo(io);
  }

  close(): void {
    this.sender.close();
  }

  discard(): void {
    this.close();
  }
}

/**
 * Ask, and wait for the answer. Suspends, and may be interrupted: what was asked for may have happened then.
 * @param use  makes what Lua gets; the result of what it is given is ≥ 0, and the descriptor, if there is one, `use`'s
 * @throws LuaError  what the answer says; EBADF: the handle is closed; EPIPE: nobody answers any more
 */
export function ask(
  handle: DirectoryHandle,
  question: Question,
  use: (received: Received) => Result,
): Result {
  const op = begin();
  if (!handle.isOpen) throw codeError('EBADF');
  const asking = new Asking(currentIo());
  const fail = (thrown: unknown): never => {
    asking.close();
    throw thrown;
  };
  const receive = (): Result => {
    asking.isSent();
    const next = begin();
    next.owner = handle;
    return end(next, asking.receive(next), (result, value) => {
      asking.close();
      if (result < 0) return raise(result);
      const received = value as Received;
      // Who answers may be anybody: only what is opened brings a descriptor.
      if (received.fd >= 0 && question.what !== OPEN) fdOnItsWay(received.fd).discard();
      return received.result < 0 ? raise(received.result) : use(received);
    });
  };
  op.owner = handle;
  const bytes = encodeQuestion(question);
  const send = (): Result => {
    const started = handle.sender.sendPacket(op, bytes, bytes.length, [asking.answerTo]);
    return end(op, started, (result) => (result < 0 ? raise(result) : NONE));
  };
  return tryThen(send, () => tryThen(receive, (r) => r, fail), fail);
}

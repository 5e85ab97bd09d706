/**
 * Standard input, output and error, without blocking the thread and without leaving a trace.
 *
 * O_NONBLOCK belongs to the open file description, which we share with the shell and with our
 * neighbours in a pipeline: `cat` would die of EAGAIN because we set it. So for what they are:
 *
 * - Pipes and terminals are opened anew through /proc/self/fd: the same pipe, a description of our
 *   own. Where that is refused (another user's terminal, no /proc), O_NONBLOCK is set on the shared
 *   one, and taken off again at exit.
 * - Sockets can't be opened anew, and needn't be: MSG_DONTWAIT says the same for one call.
 * - Regular files have no readiness, so epoll refuses them (EPERM). Reading asks for what is in
 *   memory (RWF_NOWAIT), which is nearly always and costs what read(2) costs; what would wait for a
 *   disk goes to libuv's thread pool. Writing goes to the page cache: directly, since a hop to the
 *   pool costs more than the copy.
 * - /dev/null and the like never say EAGAIN, so that they aren't in epoll either doesn't matter.
 *
 * Descriptors 0 to 2 themselves are never closed here.
 */
import { closeSync, fstatSync, openSync, read as readInPool, type Stats } from 'node:fs';
import { EAGAIN, EINTR, EINVAL, EIO, ENOSYS, EOPNOTSUPP } from '../sys/errno.ts';
import {
  dup,
  dup2,
  getStatusFlags,
  isatty,
  O_ACCMODE,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  readNoWait,
  setStatusFlags,
  write,
} from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import { MSG_DONTWAIT } from '../sys/socket.ts';
import { Descriptor } from './descriptor.ts';
import { IoGroup } from './group.ts';
import { type Canceller, type Operation, PENDING } from './operation.ts';
import type { StandardStream } from './transport.ts';

/** How one of the three is worked on. */
type Way =
  | { readonly kind: 'descriptor'; readonly descriptor: Descriptor }
  | { readonly kind: 'socket'; readonly descriptor: Descriptor }
  | { readonly kind: 'file'; readonly reader: FileReader };

const group = new IoGroup(); // the process's: no VM's end closes them

export class NativeStandardStream implements StandardStream {
  private readonly fd: 0 | 1 | 2;
  private way: Way | undefined;

  constructor(fd: 0 | 1 | 2) {
    this.fd = fd;
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (length === 0) return 0;
    const way = (this.way ??= findWay(this.fd));
    if (way.kind === 'descriptor') return way.descriptor.read(op, bytes, offset, length);
    if (way.kind === 'file') return way.reader.read(op, bytes, offset, length);
    return way.descriptor.receive(op, bytes, offset, length, MSG_DONTWAIT);
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (length === 0) return 0;
    const way = (this.way ??= findWay(this.fd));
    if (way.kind === 'descriptor') return way.descriptor.write(op, bytes, offset, length);
    if (way.kind === 'socket') {
      return way.descriptor.send(op, bytes, offset, length, MSG_DONTWAIT);
    }
    let result: number;
    do result = write(this.fd, bytes, offset, length);
    while (result === -EINTR);
    return result;
  }

  get isatty(): boolean {
    return isatty(this.fd);
  }

  dup(): Fd {
    return dup(this.fd, 3);
  }

  /** Another file was put in place of the descriptor (dup2): look again. Pending: -ECANCELED. */
  reset(): void {
    if (this.way !== undefined && this.way.kind !== 'file') this.way.descriptor.close();
    this.way = undefined;
  }
}

/** The process's three; there is one object for each. */
export const standardStreams = [
  new NativeStandardStream(0),
  new NativeStandardStream(1),
  new NativeStandardStream(2),
] as const;

/** Make 0, 1 or 2 another file. What waits for the old one: -ECANCELED. dup2(2) */
export function replaceStandardStream(number: 0 | 1 | 2, fd: Fd): void {
  standardStreams[number].reset();
  dup2(fd, number);
}

function findWay(fd: Fd): Way {
  const stat = statOf(fd);
  if (stat === undefined) return borrowed('descriptor', fd); // closed: every call says EBADF
  if (stat.isSocket()) return borrowed('socket', fd);
  if (stat.isFile()) return { kind: 'file', reader: new FileReader(fd) };
  if (stat.isFIFO() || (stat.isCharacterDevice() && isatty(fd) && !isPtyMaster(stat.rdev))) {
    const own = openAnew(fd);
    if (own !== undefined) return { kind: 'descriptor', descriptor: new Descriptor(own, group) };
  }
  if (!stat.isDirectory()) setNonBlockingUntilExit(fd);
  return borrowed('descriptor', fd);
}

function borrowed(kind: 'descriptor' | 'socket', fd: Fd): Way {
  return { kind, descriptor: new Descriptor(fd, group, { owned: false }) };
}

function statOf(fd: Fd): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}

/** /dev/ptmx: opening it again makes another terminal. */
function isPtyMaster(rdev: number): boolean {
  return rdev === 0x502;
}

/** The same file with a description of its own. @returns undefined where the kernel refuses */
function openAnew(fd: Fd): Fd | undefined {
  const mode = getStatusFlags(fd) & O_ACCMODE;
  const wanted = fd === 0 ? O_RDONLY : O_WRONLY;
  if (mode !== wanted && (mode === O_RDONLY || mode === O_WRONLY)) return undefined;
  try {
    const own = openSync(`/proc/self/fd/${fd}`, wanted | O_NONBLOCK | O_NOCTTY);
    if (own > 2) return own;
    closeSync(own); // one of the three was closed, and must not become this
    return undefined;
  } catch {
    return undefined;
  }
}

function setNonBlockingUntilExit(fd: Fd): void {
  const flags = getStatusFlags(fd);
  if ((flags & O_NONBLOCK) !== 0) return;
  setStatusFlags(fd, flags | O_NONBLOCK);
  process.on('exit', () => {
    try {
      setStatusFlags(fd, flags);
    } catch {
      // closed meanwhile
    }
  });
}

/** Reads of a regular file at its position, in the order in which they were started. */
class FileReader implements Canceller {
  private readonly fd: Fd;
  private readonly waiting: Operation[] = [];

  constructor(fd: Fd) {
    this.fd = fd;
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (this.waiting.length === 0) {
      const result = readNoWait(this.fd, bytes, offset, length);
      if (!NOT_WITHOUT_WAITING.has(result)) return result;
    }
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.waitsIn = this;
    if (this.waiting.push(op) === 1) this.readNext();
    return PENDING;
  }

  /** The one in the pool moves the file position: it ends soon, and its bytes are delivered. */
  cancelOperation(): void {}

  private readNext(): void {
    const op = this.waiting[0]!;
    readInPool(this.fd, op.bytes!, op.offset, op.length, null, (error, count) => {
      if (error?.errno === -EINTR) {
        this.readNext();
        return;
      }
      this.waiting.shift();
      op.finish(error ? (error.errno ?? -EIO) : count);
      if (this.waiting.length > 0) this.readNext();
    });
  }
}

/** Results of `readNoWait` after which the pool is asked. EINTR: it does the retry. */
const NOT_WITHOUT_WAITING = new Set([-EAGAIN, -EINTR, -EOPNOTSUPP, -EINVAL, -ENOSYS]);

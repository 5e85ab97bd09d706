/**
 * Files: read and written without holding up the thread.
 *
 * What is in memory is copied by a system call at once (RWF_NOWAIT). What would wait for a disk goes to
 * io_uring, or libuv's thread pool, with a buffer of its own: an operation there can't be called back, so
 * when it is cancelled it runs on, and what it does no longer touches the program's bytes. Its descriptor
 * stays open until it has returned, whoever closes the file meanwhile: the number can't become another file's.
 *
 * A stream has one operation at a time. A read in the pool reads at a position that it was given, and
 * the file's own moves when its bytes are delivered: a cancelled read takes nothing away. Pipes and
 * terminals have no position; the stream works on them as on any descriptor.
 */
import { Buffer } from 'node:buffer';
import { fstatSync, openSync, read as readInPool, write as writeInPool } from 'node:fs';
import {
  EAGAIN,
  EALREADY,
  EBADF,
  ECANCELED,
  EFBIG,
  EINTR,
  EINVAL,
  EIO,
  ENOSYS,
  EOPNOTSUPP,
  EOVERFLOW,
  ESPIPE,
  SysError,
} from '../sys/errno.ts';
import {
  close,
  closeAtOnce,
  dup,
  getStatusFlags,
  ignoreSignal,
  O_ACCMODE,
  O_APPEND,
  O_NONBLOCK,
  O_RDONLY,
  SIGXFSZ,
  setStatusFlags,
} from '../sys/fd.ts';
import {
  AT_FDCWD,
  AT_POSITION,
  flock,
  isSeekable,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  lseek,
  openat2,
  preadNoWait,
  pwriteNoWait,
  SEEK_CUR,
  SEEK_END,
} from '../sys/file.ts';
import { FUSE_SUPER_MAGIC, fileSystemType, fstat, ftruncate } from '../sys/filesystem.ts';
import { hasService } from '../sys/libc-service.ts';
import { type Fd, nativeAvailable } from '../sys/native.ts';
import { closeWithOwner } from './descriptor.ts';
import type { Closable, IoGroup } from './group.ts';
import { ByteHandle, type Owner, raise } from './handle.ts';
import { type Canceller, type Operation, PENDING } from './operation.ts';
import { hold, letGo } from './thread-descriptors.ts';
import { startTimer } from './timer.ts';
import { collect, readInRing, writeInRing } from './uring.ts';

/** Positions of which each is a number of its own. */
const LAST_POSITION = Number.MAX_SAFE_INTEGER;
/** Sizes are below this: off_t is signed. */
const SIZES = 2 ** 63;

/** Bytes of one system call: copying more at once would hold up the thread, too. */
const MOST = 1 << 20;

/**
 * Bytes that are copied at once in a turn of the event loop, before others have their turn; what comes then is copied by
 * the kernel's threads, or the pool's.
 */
const MOST_PER_TURN = 8 << 20;
let copied = 0;

function turnIsOver(): void {
  copied = 0;
}

/** Whether it is to be done the slow way. */
const wouldWait = (result: number): boolean =>
  result < 0 &&
  (result === -EAGAIN || result === -EOPNOTSUPP || result === -EINVAL || result === -ENOSYS);

type Transfer = 'read' | 'write';

const NO_BYTES = new Uint8Array(0);

/** A descriptor that stays open while the pool works on it. */
class OpenFile implements Closable {
  readonly fd: Fd;
  private readonly group: IoGroup;
  /** They end when it is closed. */
  readonly pending = new Set<Operation>();
  /** What this file system can't tell of, whether it would wait (EOPNOTSUPP): all of it is for other threads. */
  readonly blind = { read: false, write: false };
  /**
   * io_uring can be trusted with blind writes. Not with those of FUSE (Linux 6.18): it tries them at once, and so waits for
   * the server; and when the server takes a part, it writes the rest to the same place. The like goes for blind reads.
   */
  writesInRing = false;
  /** So many reads, one after the other, have not found their bytes in memory. */
  misses = 0;
  private jobs = 0;
  private open = true;
  private readonly isForeign: boolean;

  /** @param isForeign  opened by somebody else: it may be anything, a socket too */
  constructor(fd: Fd, group: IoGroup, isForeign: boolean) {
    this.fd = fd;
    this.group = group;
    this.isForeign = isForeign;
    hold(fd);
    group.add(this);
  }

  get isOpen(): boolean {
    return this.open;
  }

  /**
   * Pending operations end; the descriptor is closed once the pool has let go of it.
   * @returns what close(2) says, if that is known now: 0 or -errno
   */
  close(): number {
    if (!this.open) return 0;
    this.open = false;
    this.group.delete(this);
    this.cancelAll();
    return this.jobs === 0 ? this.closeNumber() : 0;
  }

  private closeNumber(): number {
    letGo(this.fd);
    return this.isForeign ? closeAtOnce(this.fd) : close(this.fd);
  }

  /** @returns a number for the caller to own */
  release(): Fd {
    if (this.jobs > 0) {
      const other = dup(this.fd);
      this.close();
      return other;
    }
    this.open = false;
    this.group.delete(this);
    letGo(this.fd);
    return this.fd;
  }

  cancelAll(): void {
    for (const op of [...this.pending]) op.cancel();
  }

  begin(): void {
    this.jobs++;
  }

  end(): void {
    this.jobs--;
    if (!this.open && this.jobs === 0) this.closeNumber();
  }
}

/** Bytes of all jobs that are under way, which have memory of their own: what comes beyond that waits. */
const MOST_UNDER_WAY = 64 << 20;
let underWay = 0;
/** Whether some disk has yet to answer: libuv's pool can't be left before. */
export const filesAreUnderWay = (): boolean => underWay > 0;

/** Jobs that wait for memory, oldest first. */
const queued = new Set<SlowJob>();

/**
 * One read or write that takes its time: in io_uring, or where there is none in libuv's thread pool.
 */
class SlowJob implements Canceller {
  /** undefined: cancelled, nobody waits for it. */
  op: Operation | undefined;
  private readonly file: OpenFile;
  private readonly transfer: Transfer;
  private readonly position: number | null;
  private readonly length: number;
  private readonly returned: (count: number, wanted: boolean) => void;

  /**
   * @param position  null: the file's own
   * @param returned  before the operation hears of it
   */
  constructor(
    file: OpenFile,
    op: Operation,
    transfer: Transfer,
    position: number | null,
    returned: (count: number, wanted: boolean) => void = () => {},
  ) {
    this.file = file;
    this.op = op;
    this.transfer = transfer;
    this.position = position;
    this.returned = returned;
    this.length = Math.min(op.length, MOST);
    op.waitsIn = this;
    file.pending.add(op);
    file.begin();
    if (underWay < MOST_UNDER_WAY) this.launch(op);
    else queued.add(this);
  }

  cancelOperation(op: Operation): void {
    this.op = undefined;
    this.file.pending.delete(op);
    if (queued.delete(this)) {
      this.returned(-ECANCELED, false);
      queueMicrotask(() => this.file.end()); // not while the file is being closed
    }
    op.finish(-ECANCELED);
  }

  private launch(op: Operation): void {
    underWay += this.length;
    if (!this.toRing(op)) this.toPool(this.copyOf(op));
  }

  /** @returns false: there is no ring, or it is full, or not for this file */
  private toRing(op: Operation): boolean {
    const at = this.position ?? AT_POSITION;
    const { fd, blind, writesInRing } = this.file;
    if (blind[this.transfer] && !(writesInRing && this.transfer === 'write')) return false;
    const done = (result: number, slot: number) => this.ringDone(result, slot);
    const isApart = copied >= MOST_PER_TURN;
    return this.transfer === 'read'
      ? readInRing(fd, this.length, at, isApart, done)
      : writeInRing(fd, op.bytes!, op.offset, this.length, at, isApart, done);
  }

  private ringDone(result: number, slot: number): void {
    // EAGAIN: this kind of file can't, without holding up the ring.
    if (result === -EINTR || result === -EAGAIN) {
      const bytes = Buffer.allocUnsafeSlow(this.length);
      collect(slot, bytes, 0, this.length);
      this.toPool(bytes);
      return;
    }
    const { op } = this;
    if (op !== undefined && this.transfer === 'read' && result > 0) {
      collect(slot, op.bytes!, op.offset, result);
    } else collect(slot, NO_BYTES, 0, 0);
    this.done(result);
  }

  private copyOf(op: Operation): Buffer {
    const bytes = Buffer.allocUnsafeSlow(this.length);
    if (this.transfer === 'write') {
      bytes.set(op.bytes!.subarray(op.offset, op.offset + this.length));
    }
    return bytes;
  }

  private toPool(bytes: Buffer): void {
    const { file, position, transfer } = this;
    const done = (error: NodeJS.ErrnoException | null, count: number): void => {
      if (error?.errno === -EINTR) {
        this.toPool(bytes);
        return;
      }
      const wanted = this.op;
      if (wanted !== undefined && transfer === 'read' && count > 0) {
        wanted.bytes!.set(bytes.subarray(0, count), wanted.offset);
      }
      this.done(error === null ? count : (error.errno ?? -EIO));
    };
    if (position !== null && position > LAST_POSITION) {
      queueMicrotask(() => this.done(-EOVERFLOW)); // Node would take it for another one, or for none
      return;
    }
    if (transfer === 'read') readInPool(file.fd, bytes, 0, bytes.length, position, done);
    else writeInPool(file.fd, bytes, 0, bytes.length, position, done);
  }

  private done(result: number): void {
    const { op, file } = this;
    underWay -= this.length;
    for (const job of queued) {
      if (underWay >= MOST_UNDER_WAY) break;
      queued.delete(job);
      job.launch(job.op!);
    }
    if (op !== undefined) file.pending.delete(op);
    this.returned(result, op !== undefined);
    file.end();
    op?.finish(result);
  }
}

/** After so many misses only each so manieth read is tried at once, if it is as short: io_uring tries it, too. */
const FEW_MISSES = 8;
const TRIED_OF = 16;
const MOST_UNTRIED = 64 << 10;

/** A file that seems not to be in memory: to ask costs as much as to read, where the answer is no. */
function isLikelyMiss(file: OpenFile, length: number): boolean {
  if (file.misses < FEW_MISSES || length > MOST_UNTRIED) return false;
  return file.misses++ % TRIED_OF !== 0;
}

/** At once, or -EAGAIN and the like. */
function attempt(file: OpenFile, op: Operation, transfer: Transfer, position: number): number {
  if (file.blind[transfer]) return -EOPNOTSUPP;
  if (copied >= MOST_PER_TURN) return -EAGAIN;
  if (transfer === 'read' && isLikelyMiss(file, op.length)) return -EAGAIN;
  const call = transfer === 'read' ? preadNoWait : pwriteNoWait;
  let result: number;
  do result = call(file.fd, op.bytes!, op.offset, Math.min(op.length, MOST), position);
  while (result === -EINTR);
  if (result === -EOPNOTSUPP) file.blind[transfer] = true;
  if (transfer === 'read') file.misses = result === -EAGAIN ? file.misses + 1 : 0;
  if (result > 0) {
    if (copied === 0) setImmediate(turnIsOver);
    copied += result;
  }
  return result;
}

/** What streams and files of random access do alike. */
abstract class AnyFile implements Owner {
  protected readonly group: IoGroup;
  protected file: OpenFile | undefined;

  /** Closed at first. ENOSYS: this needs the addon */
  constructor(group: IoGroup) {
    if (!nativeAvailable()) raise('perilune', ENOSYS);
    ignoreLimitSignal();
    this.group = group;
  }

  get isOpen(): boolean {
    return this.file?.isOpen ?? false;
  }

  /** @param flags  O_ of open(2). EALREADY (asio's already_open); ENOENT, EACCES, EEXIST, EISDIR … */
  open(path: string, flags: number, mode: number): void {
    if (this.isOpen) raise('open', EALREADY);
    if (path.includes('\0')) raise('open', EINVAL);
    const fd = hasService()
      ? openat2(AT_FDCWD, path, flags, mode & 0o7777, 0)
      : nodeCall(() => openSync(Buffer.from(path, 'latin1'), flags, mode));
    // It is for opening a FIFO. A file that has it can't be waited for in io_uring.
    if (isSeekable(fd)) setStatusFlags(fd, getStatusFlags(fd) & ~O_NONBLOCK);
    this.own(fd);
    // Here, where a server may be waited for anyway.
    if ((flags & O_ACCMODE) === O_RDONLY) return;
    const type = fileSystemType(fd);
    this.file!.writesInRing = type >= 0 && type !== FUSE_SUPER_MAGIC;
  }

  assign(fd: Fd): void {
    if (this.isOpen) raise('assign', EALREADY);
    this.own(fd, true);
  }

  protected own(fd: Fd, isForeign = false): void {
    this.file = new OpenFile(fd, this.group, isForeign);
    closeWithOwner(this, this.file);
  }

  release(): Fd {
    this.fd('release');
    this.cancel();
    return this.file!.release();
  }

  cancel(): void {
    this.fd('cancel');
    this.file!.cancelAll();
  }

  /** @throws SysError  EIO, ENOSPC, EDQUOT: something written before was lost. It is closed all the same. */
  close(): void {
    if (!this.isOpen) return;
    this.cancel();
    const result = this.file!.close();
    if (result < 0 && result !== -EINTR) raise('close', -result);
  }

  get size(): number {
    const fd = this.fd('fstat');
    return nativeAvailable() ? fstat(fd).size : nodeCall(() => fstatSync(fd).size);
  }

  /** Cut it off, or add zeros. EINVAL, EFBIG */
  resize(size: number): void {
    const fd = this.fd('ftruncate');
    if (!(size >= 0)) raise('ftruncate', EINVAL);
    if (size >= SIZES) raise('ftruncate', EFBIG);
    ftruncate(fd, size);
  }

  /** @returns whether it has the lock now. flock(2) */
  tryLock(shared: boolean): boolean {
    const result = tryFlock(this.fd('flock'), shared);
    if (result < 0 && result !== -EAGAIN) raise('flock', -result);
    return result === 0;
  }

  /** Wait for the lock. @returns 0, or PENDING */
  lock(op: Operation, shared: boolean): number {
    const { file } = this;
    if (file === undefined || !file.isOpen) return -EBADF;
    const result = tryFlock(file.fd, shared);
    if (result !== -EAGAIN) return result;
    op.owner = this;
    new Locker(op, file, shared);
    return PENDING;
  }

  unlock(): void {
    let result: number;
    do result = flock(this.fd('flock'), LOCK_UN);
    while (result === -EINTR);
    if (result < 0) raise('flock', -result);
  }

  protected fd(syscall: string): Fd {
    return this.isOpen ? this.file!.fd : raise(syscall, EBADF);
  }
}

function tryFlock(fd: Fd, shared: boolean): number {
  let result: number;
  do result = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
  while (result === -EINTR);
  return result;
}

const LAST_RETRY = 50;

/** Asks for a lock again and again, ever more seldom: the kernel tells nobody when one is free. */
class Locker implements Canceller {
  private readonly op: Operation;
  private readonly file: OpenFile;
  private readonly shared: boolean;
  private delay = 1;
  private stop!: () => void;

  constructor(op: Operation, file: OpenFile, shared: boolean) {
    this.op = op;
    this.file = file;
    this.shared = shared;
    op.waitsIn = this;
    file.pending.add(op);
    this.wait();
  }

  cancelOperation(op: Operation): void {
    this.stop();
    this.file.pending.delete(op);
    op.finish(-ECANCELED);
  }

  private wait(): void {
    this.stop = startTimer(this.delay, () => {
      const result = tryFlock(this.file.fd, this.shared);
      if (result === -EAGAIN) {
        this.delay = Math.min(this.delay * 2, LAST_RETRY);
        this.wait();
        return;
      }
      this.file.pending.delete(this.op);
      this.op.finish(result);
    });
  }
}

/** Read and written where the caller says, as many operations at once as there are. */
export class RandomAccessFile extends AnyFile {
  /** @returns bytes read; 0 at and behind the end, and for a length of 0; -ESPIPE … */
  readAt(op: Operation, at: number, bytes: Uint8Array, offset: number, length: number): number {
    return this.transfer(op, 'read', at, bytes, offset, length);
  }

  /** @returns bytes written, perhaps fewer than `length` */
  writeAt(op: Operation, at: number, bytes: Uint8Array, offset: number, length: number): number {
    return this.transfer(op, 'write', at, bytes, offset, length);
  }

  private transfer(
    op: Operation,
    what: Transfer,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    if (!this.isOpen) return -EBADF;
    if (!(at >= 0 && at <= LAST_POSITION)) return -EINVAL; // -1 would be the file's own position
    if (length === 0) return 0;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    const result = attempt(this.file!, op, what, at);
    if (!wouldWait(result)) {
      op.clear();
      return result;
    }
    op.owner = this;
    new SlowJob(this.file!, op, what, at);
    return PENDING;
  }
}

interface Waiting {
  readonly op: Operation;
  readonly what: Transfer;
}

/** Read and written at its position, one operation after the other. */
export class StreamFile extends AnyFile implements Canceller {
  private readonly waiting: Waiting[] = [];
  /** One is in the pool, perhaps for nobody. */
  private busy = false;
  /** What has no position. */
  private pipe: ByteHandle | undefined;

  override get isOpen(): boolean {
    return this.pipe?.isOpen ?? super.isOpen;
  }

  protected override own(fd: Fd, isForeign = false): void {
    if (isSeekable(fd)) {
      this.pipe = undefined;
      super.own(fd, isForeign);
      return;
    }
    const pipe = new ByteHandle(this.group);
    pipe.assign(fd);
    this.pipe = pipe;
  }

  read(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (this.pipe !== undefined) return this.pipe.read(op, bytes, offset, length);
    return this.start(op, 'read', bytes, offset, length);
  }

  write(op: Operation, bytes: Uint8Array, offset: number, length: number): number {
    if (this.pipe !== undefined) return this.pipe.write(op, bytes, offset, length);
    return this.start(op, 'write', bytes, offset, length);
  }

  /** @returns the new position. ESPIPE: it has none; EINVAL */
  seek(offset: number, whence: number): number {
    if (this.pipe?.isOpen) raise('lseek', ESPIPE);
    const fd = this.fd('lseek');
    if (!(Math.abs(offset) <= LAST_POSITION)) raise('lseek', EINVAL);
    return lseek(fd, offset, whence);
  }

  override release(): Fd {
    return this.pipe?.release() ?? super.release();
  }

  override cancel(): void {
    if (this.pipe !== undefined) {
      this.pipe.cancel();
      return;
    }
    super.cancel();
  }

  override close(): void {
    if (this.pipe !== undefined) this.pipe.close();
    else super.close();
  }

  protected override fd(syscall: string): Fd {
    return this.pipe?.isOpen ? this.pipe.number : super.fd(syscall);
  }

  /** Of one that waits for others. */
  cancelOperation(op: Operation): void {
    this.waiting.splice(
      this.waiting.findIndex((one) => one.op === op),
      1,
    );
    this.file!.pending.delete(op);
    op.finish(-ECANCELED);
  }

  private start(
    op: Operation,
    what: Transfer,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): number {
    if (!this.isOpen) return -EBADF;
    if (length === 0) return 0;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    if (!this.busy && this.waiting.length === 0) {
      const result = attempt(this.file!, op, what, AT_POSITION);
      if (!wouldWait(result)) {
        op.clear();
        return result;
      }
      this.toPool(op, what);
    } else {
      op.waitsIn = this;
      this.waiting.push({ op, what });
      this.file!.pending.add(op);
    }
    op.owner = this;
    return PENDING;
  }

  private toPool(op: Operation, what: Transfer): void {
    const file = this.file!;
    const start = positionOf(file.fd);
    const length = Math.min(op.length, MOST);
    // Writing at the file's own position: where O_APPEND says, and it moves by itself.
    const position = what === 'read' ? Math.max(start, 0) : null;
    this.busy = true;
    new SlowJob(file, op, what, position, (count, wanted) => {
      if (what === 'read') {
        if (wanted && count > 0) move(file.fd, start, count, SEEK_CUR);
      } else if (count > 0 && count < length) moveAfterShortWrite(file.fd, start, count);
      this.busy = false;
      queueMicrotask(() => this.next());
    });
  }

  private next(): void {
    while (!this.busy && this.waiting.length > 0) {
      const { op, what } = this.waiting.shift()!;
      this.file!.pending.delete(op);
      const result = attempt(this.file!, op, what, AT_POSITION);
      if (wouldWait(result)) this.toPool(op, what);
      else op.finish(result);
    }
  }
}

/** -1: it has none any more, as a file of /proc whose process is gone. To read it is an error, and says so. */
function positionOf(fd: Fd): number {
  try {
    return lseek(fd, 0, SEEK_CUR);
  } catch (error) {
    if (error instanceof SysError) return -1;
    throw error;
  }
}

/** The position, from where an operation began; where somebody has moved it meanwhile, it stays. */
function move(fd: Fd, from: number, distance: number, whence: number): void {
  if (from < 0 || positionOf(fd) !== from) return;
  try {
    lseek(fd, distance, whence);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
  }
}

/**
 * io_uring tries for the rest of a short write, and when that fails (the disk is full, RLIMIT_FSIZE) tells the
 * bytes of the first part, but leaves the position before them: the next write would go over them.
 */
function moveAfterShortWrite(fd: Fd, start: number, count: number): void {
  const appends = (getStatusFlags(fd) & O_APPEND) !== 0;
  move(fd, start, appends ? 0 : count, appends ? SEEK_END : SEEK_CUR);
}

let limitIsIgnored = false;

/** A file that may not grow further is EFBIG, not the end of the process: setrlimit(2), RLIMIT_FSIZE. */
function ignoreLimitSignal(): void {
  if (limitIsIgnored) return;
  limitIsIgnored = true;
  ignoreSignal(SIGXFSZ);
}

/** Errors of Node's as those of system calls. */
function nodeCall<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { errno, syscall } = error as NodeJS.ErrnoException;
    if (errno === undefined || !(errno < 0)) throw error;
    return raise(syscall ?? 'open', -errno);
  }
}

/**
 * A directory for those who can't open anything: a broker. It opens what is beneath the directory, and sends
 * the descriptor. Whoever asks has nothing but a socket, and may be hostile:
 *
 * - Names lead nowhere but beneath (openat2(2), RESOLVE_BENEATH): no `..`, no absolute path, no link out of it,
 *   whoever changes the tree meanwhile. Nor through /proc's links.
 * - Only regular files and directories are opened, and never in a way that waits: no pipe, device or socket.
 * - Never is a descriptor of a directory sent: by one of these a process goes up as well as down.
 * - All that is asked through one directory and what was opened of it gets a few answers in each turn of
 *   the event loop; then the others have theirs. What is too much waits in the kernel, and its sender with it.
 * - A descriptor that is sent counts until it has been received. Those that nobody fetches are given up after a
 *   minute, and their places with them.
 * - When nobody has the other end of the socket any more, the directory is closed.
 */
import { constants } from 'node:fs';
import { EINVAL, EMFILE, EPERM, ok, SysError } from '../sys/errno.ts';
import { close, getStatusFlags, setStatusFlags } from '../sys/fd.ts';
import {
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../sys/file.ts';
import {
  AT_REMOVEDIR,
  fstat,
  getdents64,
  mkdirAt,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  seekDirectory,
  unlinkAt,
} from '../sys/filesystem.ts';
import type { Fd } from '../sys/native.ts';
import { EPOLLHUP } from '../sys/reactor.ts';
import { MSG_DONTWAIT, unsent } from '../sys/socket.ts';
import { PACKET_FDS, sendmsgUnix } from '../sys/unix.ts';
import {
  ACCESS,
  APPEND,
  type Carries,
  CREATE,
  DIRECTORY,
  decodeQuestion,
  EXCLUSIVE,
  encodeAnswer,
  encodeFacts,
  LIST,
  MAKE,
  MAX_LIST,
  MAX_QUESTION,
  NO_FOLLOW,
  OPEN,
  type Question,
  READ_ONLY,
  REMOVE,
  STAT,
  SYNC,
  TEMPORARY,
  TRUNCATE,
  WRITE_ONLY,
} from './directory-protocol.ts';
import type { Closable, IoGroup } from './group.ts';
import {
  closeAnswerSocket,
  closeUnasked,
  isPacketSocket,
  PacketReceiver,
  packetPair,
} from './packet.ts';
import { type EventTarget, register, unregister } from './reactor.ts';
import { closeHeld, hold } from './thread-descriptors.ts';

const { O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const EACCES = 13;
const EEXIST = 17;
const EISDIR = 21;
const ENOENT = 2;
const EROFS = 30;
const ELOOP = 40;

/** What may be done with files beneath. */
export interface Access {
  readonly reads: boolean;
  readonly writes: boolean;
}

/** Answers in a turn of the event loop. */
const PER_TURN = 16;
/** Descriptors that have been sent and not yet received. */
const MOST_REPLIES = 64;
/** Directories that were opened of one. */
const MOST_SERVERS = 64;
/** Milliseconds, how often they are looked at, and how long they may take. */
const SWEEP_EVERY = 1000;
const PATIENCE = 60_000;

const ALWAYS = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
const MORE_RESOLVE = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_CACHED | ALWAYS;

/** One descriptor on its way: the socket of the answer is kept until it has been received. */
class Reply implements EventTarget {
  generation = 0;
  readonly fd: Fd;
  readonly since = performance.now();
  private readonly desk: Desk;

  constructor(fd: Fd, desk: Desk) {
    this.fd = fd;
    this.desk = desk;
  }

  onEvents(events: number): void {
    if ((events & EPOLLHUP) !== 0 && unsent(this.fd) === 0) this.desk.received(this);
  }

  close(): void {
    unregister(this.fd, this);
    closeAnswerSocket(this.fd);
  }
}

/** What a directory and all that were opened of it have in common: whose turn it is, and what they may use. */
class Desk {
  readonly servers = new Set<DirectoryServer>();
  private readonly waiting: DirectoryServer[] = [];
  private readonly replies = new Set<Reply>();
  private places = MOST_REPLIES;
  private isScheduled = false;
  private sweeper: NodeJS.Timeout | undefined = undefined;

  wake(server: DirectoryServer): void {
    if (!this.waiting.includes(server)) this.waiting.push(server);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0 || this.replies.size >= this.places) return;
    this.isScheduled = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.isScheduled = false;
    for (let n = 0; n < PER_TURN && this.replies.size < this.places; n++) {
      const server = this.waiting.shift();
      if (server === undefined) return;
      if (server.serve()) this.waiting.push(server);
    }
    this.schedule();
  }

  /** The other end has yet to fetch a descriptor. */
  sent(fd: Fd): void {
    const reply = new Reply(fd, this);
    this.replies.add(reply);
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_EVERY).unref();
    register(fd, reply);
  }

  received(reply: Reply): void {
    if (!this.replies.delete(reply)) return;
    reply.close();
    if (this.replies.size === 0) this.rest();
    this.schedule();
  }

  private sweep(): void {
    const now = performance.now();
    for (const reply of this.replies) {
      const isReceived = unsent(reply.fd) === 0;
      if (!isReceived && now - reply.since < PATIENCE) continue;
      if (!isReceived) this.places--; // it may lie there for ever
      this.received(reply);
    }
    // Nothing could be answered any more, nor would its end be seen.
    if (this.places === 0) for (const server of [...this.servers]) server.close();
  }

  private rest(): void {
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }

  /** @returns whether nobody is left */
  leave(server: DirectoryServer): void {
    this.servers.delete(server);
    const at = this.waiting.indexOf(server);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.servers.size > 0) return;
    for (const reply of this.replies) reply.close();
    this.replies.clear();
    this.rest();
  }
}

const question = new Uint8Array(MAX_QUESTION + 1);
const received = new Int32Array(PACKET_FDS + 2);
const records = new Uint8Array(MAX_LIST);
const NO_FDS = new Int32Array(0);

/** What is to be told. `fd` is the receiver's, and closed here. */
interface Told {
  readonly result: number;
  readonly carries?: Carries;
  readonly fd?: Fd;
  readonly body?: Uint8Array;
}

export class DirectoryServer implements Closable {
  private readonly directory: Fd;
  private readonly access: Access;
  private readonly group: IoGroup;
  private readonly desk: Desk;
  private readonly receiver: PacketReceiver;
  private isOpen = true;

  /** @param directory  its own from now on. @param socket  the receiving end of a pair; it, too */
  constructor(directory: Fd, access: Access, socket: Fd, group: IoGroup, desk = new Desk()) {
    this.directory = directory;
    hold(directory);
    this.access = access;
    this.group = group;
    this.desk = desk;
    desk.servers.add(this);
    this.receiver = new PacketReceiver(socket, group, () => desk.wake(this), true);
    group.add(this);
    this.receiver.watch();
    desk.wake(this);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.receiver.close();
    closeHeld(this.directory);
    this.group.delete(this);
    this.desk.leave(this);
  }

  /** One question. @returns whether there may be another */
  serve(): boolean {
    if (!this.isOpen) return false;
    const packet = this.receiver.receive(question, received);
    if (packet.kind === 'none') return false;
    if (packet.kind !== 'packet') {
      this.close();
      return false;
    }
    const { length, fds } = packet;
    const asked = decodeQuestion(question, length);
    if (asked === undefined || fds.length !== 1 || !isPacketSocket(fds[0]!)) {
      closeUnasked(fds);
      this.close();
      return false;
    }
    this.tell(fds[0]!, this.answer(asked));
    return true;
  }

  private tell(socket: Fd, { result, carries = 'nothing', fd, body }: Told): void {
    const bytes = encodeAnswer(result, carries, body);
    const list = fd === undefined ? NO_FDS : Int32Array.of(fd);
    const sent = sendmsgUnix(socket, bytes, 0, bytes.length, MSG_DONTWAIT, undefined, list);
    if (fd !== undefined) close(fd);
    if (sent >= 0 && fd !== undefined) this.desk.sent(socket);
    else closeAnswerSocket(socket);
  }

  private answer(asked: Question): Told {
    try {
      switch (asked.what) {
        case OPEN:
          return this.open(asked);
        case LIST:
          return this.list(asked);
        case STAT:
          return this.stat(asked);
        case MAKE:
          return this.make(asked);
        case REMOVE:
          return this.remove(asked);
        default:
          return { result: -EINVAL };
      }
    } catch (error) {
      if (error instanceof SysError) return { result: -error.errno };
      throw error;
    }
  }

  // ── opening ──────────────────────────────────────────────────────────────────────────────────────

  private beneath(asked: Question, flags: number, mode = 0): Fd {
    if ((asked.resolve & ~MORE_RESOLVE) !== 0) throw new SysError('openat2', EINVAL);
    return openat2(this.directory, asked.path, flags, mode, asked.resolve | ALWAYS);
  }

  private mayRead(): void {
    if (!this.access.reads) throw new SysError('openat2', EACCES);
  }

  private mayWrite(): void {
    if (!this.access.writes) throw new SysError('openat2', EROFS);
  }

  private open(asked: Question): Told {
    const { flags } = asked;
    const access = flags & ACCESS;
    if (access !== WRITE_ONLY) this.mayRead();
    if (access !== READ_ONLY || (flags & (CREATE | TRUNCATE | TEMPORARY | APPEND)) !== 0)
      this.mayWrite();
    if ((flags & TEMPORARY) !== 0)
      return this.give(this.beneath(asked, flagsOf(flags) | O_TMPFILE, asked.mode & 0o777));
    for (let tries = 3; ; tries--) {
      try {
        return this.openExisting(asked);
      } catch (error) {
        if (!isError(error, ENOENT) || (flags & CREATE) === 0) throw error;
      }
      try {
        // A new file is a regular one, and no link was followed to it.
        const creating = flagsOf(flags) | O_CREAT | O_EXCL;
        return this.give(this.beneath(asked, creating, asked.mode & 0o777));
      } catch (error) {
        if (!isError(error, EEXIST) || tries === 0) throw error; // it has come meanwhile
      }
    }
  }

  private openExisting(asked: Question): Told {
    const { flags } = asked;
    const noFollow = (flags & NO_FOLLOW) !== 0 ? O_NOFOLLOW : 0;
    // Whatever it is, this opens nothing, and can't wait.
    const place = this.beneath(asked, O_PATH | noFollow);
    let kind: number;
    try {
      kind = fstat(place).mode & S_IFMT;
      if ((flags & CREATE) !== 0 && (flags & EXCLUSIVE) !== 0)
        throw new SysError('openat2', EEXIST);
      if (kind === S_IFDIR) {
        if ((flags & ~(DIRECTORY | NO_FOLLOW)) !== 0) throw new SysError('openat2', EISDIR);
        return this.giveDirectory(place);
      }
    } finally {
      close(place);
    }
    if (kind === S_IFLNK) throw new SysError('openat2', ELOOP);
    if (kind !== S_IFREG) throw new SysError('openat2', EPERM);
    const fd = this.beneath(asked, flagsOf(flags) | noFollow | O_NONBLOCK);
    // Somebody may have put a pipe in its place.
    if ((fstat(fd).mode & S_IFMT) === S_IFREG) return this.give(fd);
    close(fd);
    throw new SysError('openat2', EPERM);
  }

  private give(fd: Fd): Told {
    setStatusFlags(fd, getStatusFlags(fd) & ~O_NONBLOCK);
    return { result: 0, carries: 'descriptor', fd };
  }

  /** It gets a socket of its own, and never a descriptor. */
  private giveDirectory(place: Fd): Told {
    if (this.desk.servers.size >= MOST_SERVERS) throw new SysError('openat2', EMFILE);
    const directory = openat2(place, '.', O_PATH | O_DIRECTORY, 0, ALWAYS);
    const handle = serveDirectory(directory, this.access, this.group, this.desk);
    return { result: 0, carries: 'directory', fd: handle };
  }

  // ── the rest ─────────────────────────────────────────────────────────────────────────────────────

  private list(asked: Question): Told {
    this.mayRead();
    const fd = this.beneath(asked, O_DIRECTORY | O_NONBLOCK);
    try {
      if (asked.cookie[0] !== 0 || asked.cookie[1] !== 0) seekDirectory(fd, ...asked.cookie);
      const length = getdents64(fd, records);
      return { result: length, body: records.subarray(0, length) };
    } finally {
      close(fd);
    }
  }

  private stat(asked: Question): Told {
    this.mayRead();
    const noFollow = (asked.flags & NO_FOLLOW) !== 0 ? O_NOFOLLOW : 0;
    const place = this.beneath(asked, O_PATH | noFollow);
    try {
      return { result: 0, body: encodeFacts(fstat(place)) };
    } finally {
      close(place);
    }
  }

  private make(asked: Question): Told {
    this.mayWrite();
    return this.inParent(asked, (parent, name) => mkdirAt(parent, name, asked.mode & 0o777));
  }

  private remove(asked: Question): Told {
    this.mayWrite();
    const isDirectory = (asked.flags & DIRECTORY) !== 0;
    return this.inParent(asked, (parent, name) => {
      ok('unlinkat', unlinkAt(parent, name, isDirectory ? AT_REMOVEDIR : 0));
    });
  }

  /** Of what has no descriptor: the directory that it is in, and its name there. */
  private inParent(asked: Question, change: (parent: Fd, name: string) => void): Told {
    const path = asked.path.replace(/\/+$/, '');
    const end = path.lastIndexOf('/') + 1;
    const name = path.slice(end);
    if (name === '' || name === '.' || name === '..') throw new SysError('openat2', EINVAL);
    const above = path.slice(0, end) || '.';
    const parent = this.beneath({ ...asked, path: above }, O_PATH | O_DIRECTORY);
    try {
      change(parent, name);
      return { result: 0 };
    } finally {
      close(parent);
    }
  }
}

const isError = (error: unknown, errno: number): boolean =>
  error instanceof SysError && error.errno === errno;

/** As open(2) has them, but for those that make something. */
function flagsOf(flags: number): number {
  const { O_APPEND, O_TRUNC, O_SYNC } = constants;
  let out = (flags & ACCESS) | O_NOCTTY;
  if ((flags & APPEND) !== 0) out |= O_APPEND;
  if ((flags & TRUNCATE) !== 0) out |= O_TRUNC;
  if ((flags & SYNC) !== 0) out |= O_SYNC;
  if ((flags & DIRECTORY) !== 0) out |= O_DIRECTORY;
  return out;
}

/**
 * Serve a directory for as long as somebody has the other end.
 * @param directory  belongs to the server from now on, also if this fails
 * @returns  the end to ask through, which is the caller's. EMFILE
 */
export function serveDirectory(directory: Fd, access: Access, group: IoGroup, desk?: Desk): Fd {
  try {
    const { sender, receiver } = packetPair();
    new DirectoryServer(directory, access, receiver, group, desk);
    return sender;
  } catch (error) {
    close(directory);
    throw error;
  }
}

/**
 * The same for a directory that is somebody else's, who keeps it.
 * @throws SysError  ENOTDIR, EACCES, EMFILE
 */
export function shareDirectory(directory: Fd, access: Access, group: IoGroup): Fd {
  return serveDirectory(openat2(directory, '.', O_PATH | O_DIRECTORY, 0, ALWAYS), access, group);
}

export const isDirectory = (fd: Fd): boolean => (fstat(fd).mode & S_IFMT) === S_IFDIR;

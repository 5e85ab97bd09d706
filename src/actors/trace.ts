/**
 * `--trace-actors`: who was made, who sent what to whom, who died and why, as lines of JSON.
 *
 * Whatever happens to an actor tells `tracing.on`, if there is one; nothing here changes what happens. All
 * threads of the process write into one buffer in shared memory, under a lock, and so the lines are in the order
 * of their times, and none is lost with its thread. A line is written to the file at once if nothing has been for
 * some milliseconds; what follows upon it, together, when the thread's event loop has its turn, and at the end.
 *
 * Actors have numbers, and so have messages and requests: counted in that memory. What a mailbox or channel
 * leads to is known here by object (`ends`), so that nobody's objects grow for it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { LuaError } from '../runtime/error.ts';
import { messageOf, systemCategory } from '../runtime/error-code.ts';
import { LuaTable, rawGetString } from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { oneLine, summarize } from './summary.ts';

/** Whose mailbox something is, or leads to. */
export interface End {
  readonly actor: number;
  /** The mailbox of one answer; 0: an inbox. */
  readonly request: number;
  /** Nobody knows for sure: it is the process to which an address was given, or that gave it. */
  readonly assumed?: boolean;
}

/** What a traced message has with it. */
export interface Stamp {
  /** 0: a letter of a process. */
  readonly id: number;
  readonly from: number;
  /** Of a letter: the socket that it came through. */
  readonly via?: number;
}

/** How an actor's life ended. */
export type Death = 'ended' | 'error' | 'exit' | 'deadlock' | 'killed' | 'lost';

/** What threads need to write into the same file. */
export interface TraceShare {
  readonly buffer: SharedArrayBuffer;
  readonly fd: number;
  readonly name: string;
  /** Nanoseconds of the steady clock. */
  readonly start: bigint;
  /** Of the process's first actor, where another process writes the file; '': this one does. */
  readonly label: string;
}

/** Of what the lines say. */
export const TRACE_VERSION = 1;

// Words at the beginning of the shared memory.
const LOCK = 0;
const LENGTH = 1;
const ACTORS = 2;
const MESSAGES = 3;
const REQUESTS = 4;
const FAILED = 5;
/** Lines that there was no room for. */
const LEFT_OUT = 6;
const WORDS = 16;

/** Text that is to be written, and behind it of each actor: 1 + the thread it lives in, the length of its name, and that. */
const TEXT_AT = WORDS * 4;
const TEXT_SIZE = 64 * 1024;
const NAMES_AT = TEXT_AT + TEXT_SIZE;
const NAME_SIZE = 32;
/** Actors that have a name; others a number only. A sandbox has no memory to spare. */
const MOST_NAMES = 65_536;
const FEW_NAMES = 2048;
/** Labels that are kept. */
const MAX_LABELS = 10_000;
const NEWLINE = 10;
/** Bytes of a line, and of what is written at once to what is no file: a pipe takes that in one piece. */
const MAX_LINE = 4096;
/** After a line has been written, others wait for so many seconds at most before the next is. */
const PAUSE = 0.005;

/** Sockets that are remembered, the last ones. */
const MAX_VIAS = 20_000;
/** Milliseconds that a process waits for who reads its lines. */
const PATIENCE = 100;
/** Characters of the label of a process that is traced within. */
const MAX_LABEL = 200;

const REASON = 300;
const PATH = 300;

export class Tracer {
  readonly share: TraceShare;
  private readonly words: Int32Array;
  private readonly names: Buffer;
  private readonly maxNames: number;
  private readonly text: Buffer;
  /** Of this thread. */
  private readonly slot: number;
  private readonly writesAtMost: number;
  private readonly labels = new Map<number, string>();
  private readonly ends = new WeakMap<object, End>();
  private readonly vias = new WeakMap<object, number>();
  /** Whose mailbox the sockets lead to that were made here. */
  private readonly endOfVia = new Map<number, End>();
  private flushedAt = -1;
  /** The last wait for a reader was in vain. */
  private isImpatient = false;
  private isScheduled = false;
  /** What is to be said when the lock is free. */
  private failure: string | undefined = undefined;

  constructor(share: TraceShare, slot: number) {
    this.share = share;
    this.slot = slot;
    this.words = new Int32Array(share.buffer, 0, WORDS);
    this.names = Buffer.from(share.buffer, NAMES_AT);
    this.maxNames = this.names.length / NAME_SIZE;
    this.text = Buffer.from(share.buffer, TEXT_AT, TEXT_SIZE);
    this.writesAtMost = isRegular(share.fd) ? TEXT_SIZE : MAX_LINE;
  }

  // ── actors and ends ──

  /** A new actor. @param file  of its module */
  newActor(file: string): number {
    const n = Atomics.add(this.words, ACTORS, 1) + 1;
    if (n >= this.maxNames) return n;
    const at = n * NAME_SIZE;
    const name = nameOf(file);
    this.names[at + 1] = name.length;
    this.names.write(name, at + 2, 'latin1');
    return n;
  }

  /** It lives in this thread; its inbox is one of the objects. */
  livesHere(n: number, ...objects: object[]): void {
    this.livesIn(n, this.slot);
    for (const object of objects) this.ends.set(object, { actor: n, request: 0 });
  }

  livesIn(n: number, slot: number): void {
    if (n < this.maxNames) this.names[n * NAME_SIZE] = slot + 1;
  }

  /** A mailbox for one answer. */
  asks(answer: object, actor: number): void {
    this.ends.set(answer, { actor, request: Atomics.add(this.words, REQUESTS, 1) + 1 });
  }

  /** It is given up. */
  unanswered(answer: object, thrown: unknown): void {
    const end = this.endOf(answer);
    if (end === undefined) return;
    const reason = thrown instanceof LuaError ? messageOf(thrown.value) : undefined;
    this.did('unanswered', end.actor, undefined, `,"request":${end.request}${because(reason)}`);
  }

  setEnd(object: object, end: End | undefined): void {
    if (end !== undefined) this.ends.set(object, end);
  }

  endOf(object: object): End | undefined {
    return this.ends.get(object);
  }

  /** 0: nobody that is known */
  actorOf(object: object): number {
    return this.ends.get(object)?.actor ?? 0;
  }

  /** `words#2`, as JSON. */
  private label(n: number): string {
    let label = this.labels.get(n);
    if (label === undefined) {
      label = JSON.stringify(this.plainLabel(n));
      if (this.labels.size === MAX_LABELS) this.labels.clear();
      this.labels.set(n, label);
    }
    return label;
  }

  private plainLabel(n: number): string {
    if (n === 0) return '?';
    const { label } = this.share;
    if (label === '') return this.ownLabel(n);
    return n === 1 ? label : `${label}/${this.ownLabel(n)}`;
  }

  private ownLabel(n: number): string {
    if (n >= this.maxNames) return `actor#${n}`;
    const at = n * NAME_SIZE;
    return `${this.names.toString('latin1', at + 2, at + 2 + this.names[at + 1]!)}#${n}`;
  }

  // ── sockets ──

  /** What is the same of a socket in all processes: its inode. */
  viaOf(fd: number): number {
    return fstatSync(fd).ino;
  }

  /** The same of a channel to a process. */
  viaOfChannel(channel: { readonly sender: { readonly fd: number } }): number {
    let via = this.vias.get(channel);
    if (via === undefined) {
      via = this.viaOf(channel.sender.fd);
      this.vias.set(channel, via);
    }
    return via;
  }

  /** A socket leads to this mailbox. */
  leads(via: number, mailbox: object): void {
    const end = this.endOf(mailbox);
    if (end !== undefined) this.noteVia(via, end);
  }

  /** What has been said of a socket may be read after it was closed. */
  private noteVia(via: number, end: End): void {
    const { endOfVia } = this;
    endOfVia.set(via, end);
    if (endOfVia.size > MAX_VIAS) endOfVia.delete(endOfVia.keys().next().value!);
  }

  // ── processes that are traced within ──

  /** What the process of an actor is to know; undefined: it is too deep. @param inbox  its sending end */
  taskFor(actor: number, inbox: number): TraceTask | undefined {
    const label = this.plainLabel(actor);
    if (label.length > MAX_LABEL) return undefined;
    const via = this.viaOf(inbox);
    this.noteVia(via, { actor, request: 0 });
    return { start: `${this.share.start}`, label, via };
  }

  /** What a process says: it has been checked. @param rest  of the line */
  claimed(t: number, rest: string): void {
    this.line(rest, t);
  }

  /** For a claim: to whom a socket leads. */
  targetOfVia(via: number): string | undefined {
    const end = this.endOfVia.get(via);
    return end && this.target(end);
  }

  // ── what happens ──

  spawned(n: number, by: number, home: string, file: string, more: object = {}): void {
    const who = by === 0 ? '' : `,"by":${this.label(by)}`;
    const module = JSON.stringify(oneLine(file, PATH));
    const rest = JSON.stringify({ home, ...more }).slice(1, -1);
    this.line(`"event":"spawn","actor":${this.label(n)}${who},"module":${module},${rest}`);
  }

  /** @param via  the socket of a letter */
  sent(from: number, to: End | undefined, value: LuaValue, via?: number): Stamp {
    const id = this.newMessage();
    const request = this.requestIn(value);
    const asks = request === 0 ? '' : `,"request":${request}`;
    this.line(
      `"event":"send","from":${this.label(from)},"to":${this.target(to)},"id":${id}${asks}${through(via)}${this.message(value)}`,
    );
    return { id, from };
  }

  private newMessage(): number {
    return (Atomics.add(this.words, MESSAGES, 1) + 1) >>> 0;
  }

  /** That of `{reply = channel}`, where the channel is for one answer; 0: none. */
  private requestIn(value: LuaValue): number {
    const reply = value instanceof LuaTable ? rawGetString(value, 'reply') : undefined;
    return reply instanceof Userdata ? (this.leadsTo(reply)?.request ?? 0) : 0;
  }

  /** There is no room for it: its sender waits. */
  waits({ id, from }: Stamp, to: End | undefined): void {
    this.line(`"event":"wait","from":${this.label(from)},"to":${this.target(to)},"id":${id}`);
  }

  /** The end of an actor is a message to who watches it. */
  told(dead: End | undefined, to: object, reason: string | undefined): Stamp {
    const id = this.newMessage();
    const from = dead?.actor ?? 0;
    this.line(
      `"event":"down","from":${this.label(from)},"to":${this.target(this.endOf(to))},"id":${id}${because(reason)}`,
    );
    return { id, from };
  }

  received(by: object, stamp: Stamp | undefined, value: LuaValue): void {
    const actor = this.target(this.endOf(by));
    const from = this.label(stamp?.from ?? 0);
    // A letter of a process: nobody here has seen it being sent.
    const isLetter = stamp === undefined || stamp.id === 0;
    const what = isLetter ? through(stamp?.via) + this.message(value) : `,"id":${stamp.id}`;
    this.line(`"event":"receive","actor":${actor},"from":${from}${what}`);
  }

  /** A message will never be received. @param to  a mailbox, or whose it is */
  dropped(to: object, stamp: Stamp | undefined, reason: string): void {
    if (stamp === undefined || stamp.id === 0) return;
    const end = 'actor' in to ? (to as End) : this.endOf(to);
    this.line(
      `"event":"drop","from":${this.label(stamp.from)},"to":${this.target(end)},"id":${stamp.id}${because(reason)}`,
    );
  }

  /** What came was no message: nothing more will come that way. */
  malformed(mailbox: object, from: number): void {
    this.line(
      `"event":"malformed","actor":${this.target(this.endOf(mailbox))},"from":${this.label(from)}`,
    );
  }

  /** Something that one actor does, perhaps to another. */
  did(event: string, actor: number, to?: End, more = ''): void {
    const whom = to === undefined ? '' : `,"to":${this.target(to)}`;
    this.line(`"event":"${event}","actor":${this.label(actor)}${whom}${more}`);
  }

  /** Nobody can send to it any more, and it waits. */
  orphaned(mailbox: object): void {
    const end = this.endOf(mailbox);
    if (end !== undefined && end.request === 0) this.did('no_senders', end.actor);
  }

  died(n: number, how: Death, reason: string | undefined, more: object = {}): void {
    if (n === 0) return;
    if (n < this.maxNames) this.names[n * NAME_SIZE] = 0;
    const rest = JSON.stringify({ how, ...more }).slice(1, -1);
    this.did('exit', n, undefined, `,${rest}${because(reason)}`);
  }

  /** A thread is gone, and all that lived in it. */
  threadLost(slot: number, reason: string): void {
    Atomics.compareExchange(this.words, LOCK, slot + 1, 0);
    const last = Math.min(Atomics.load(this.words, ACTORS), this.maxNames - 1);
    for (let n = 1; n <= last; n++)
      if (this.names[n * NAME_SIZE] === slot + 1) this.died(n, 'lost', reason);
  }

  private target(end: End | undefined): string {
    if (end === undefined) return this.label(0);
    const answers = end.request > 0 ? `,"answers":${end.request}` : '';
    return `${this.label(end.actor)}${answers}${end.assumed === true ? ',"assumed":true' : ''}`;
  }

  private message(value: LuaValue): string {
    const { type, size, text } = summarize(value, (object) => this.describe(object));
    return `,"type":"${type}"${size === undefined ? '' : `,"size":${size}`},"message":${JSON.stringify(text)}`;
  }

  /** @param object  a channel, or an inbox */
  private leadsTo(object: Userdata): End | undefined {
    return this.endOf((object as { readonly recipient?: object }).recipient ?? object);
  }

  private describe(object: Userdata): string {
    const end = this.leadsTo(object);
    return `<${end === undefined ? String(object.luaType.name) : this.plainLabel(end.actor)}>`;
  }

  // ── writing ──

  /**
   * @param rest  of a line, behind its time
   * @param then  that time, if it isn't now
   */
  line(rest: string, then?: number): void {
    this.lock();
    try {
      if (this.words[FAILED] !== 0) return;
      let at = this.words[LENGTH]!;
      if (at + MAX_LINE > TEXT_SIZE) {
        this.write();
        at = 0;
      }
      const t = this.now();
      const end =
        at + this.text.write(`{"t":${(then ?? t).toFixed(6)},${rest}}\n`, at, MAX_LINE, 'utf8');
      if (this.text[end - 1] !== NEWLINE) return; // too long: of a process that wants that
      this.words[LENGTH] = end;
      if (t - this.flushedAt >= PAUSE) {
        this.write();
        this.flushedAt = t;
      } else if (!this.isScheduled) {
        this.isScheduled = true;
        setImmediate(() => {
          this.isScheduled = false;
          this.flush();
        });
      }
    } finally {
      this.unlock();
    }
  }

  /** What is to be read before. */
  readonly atEnd = new Set<() => void>();

  /** The process ends. */
  end(code: number): void {
    for (const read of this.atEnd) read();
    if (this.share.label === '') this.line(`"event":"end","code":${code}`);
    this.flush();
  }

  /** Seconds since the start. */
  now(): number {
    return Number(process.hrtime.bigint() - this.share.start) / 1e9;
  }

  flush(): void {
    this.lock();
    try {
      this.write();
    } finally {
      this.unlock();
    }
  }

  private lock(): void {
    let seen: number;
    while ((seen = Atomics.compareExchange(this.words, LOCK, 0, this.slot + 1)) !== 0)
      Atomics.wait(this.words, LOCK, seen, 1);
  }

  private unlock(): void {
    Atomics.store(this.words, LOCK, 0);
    Atomics.notify(this.words, LOCK, 1);
    const { failure } = this;
    this.failure = undefined;
    // Not before: it may be the end of the process, and that is written down, too.
    if (failure !== undefined) tracing.failed(failure);
  }

  /** All that is in the buffer, in pieces that end with a line. */
  private write(): void {
    const length = this.words[LENGTH]!;
    this.words[LENGTH] = 0;
    this.sayLeftOut();
    for (let at = 0; at < length && this.words[FAILED] === 0; ) {
      let end = length;
      if (end - at > this.writesAtMost)
        end = this.text.lastIndexOf(NEWLINE, at + this.writesAtMost - 1) + 1;
      this.writePiece(at, end);
      at = end;
    }
  }

  private writePiece(from: number, to: number): void {
    let waited = this.isImpatient ? PATIENCE : 0;
    for (let at = from; at < to; ) {
      try {
        at += writeSync(this.share.fd, this.text, at, to - at);
        this.isImpatient = false;
      } catch (fault) {
        const { code } = fault as NodeJS.ErrnoException;
        if (code === 'EINTR') continue;
        if (code !== 'EAGAIN') return this.fail(fault);
        // A file's descriptor somebody has made non-blocking: its reader will come. Another process may not.
        if (this.share.label !== '' && waited >= PATIENCE) return this.leaveOut(from, to);
        Atomics.wait(this.words, FAILED, 0, 5);
        waited += 5;
      }
    }
  }

  private leaveOut(from: number, to: number): void {
    this.isImpatient = true;
    let lines = 0;
    for (let at = from; at < to; at++) if (this.text[at] === NEWLINE) lines++;
    this.words[LEFT_OUT] = this.words[LEFT_OUT]! + lines;
  }

  private sayLeftOut(): void {
    const count = this.words[LEFT_OUT]!;
    if (count === 0 || this.words[FAILED] !== 0) return;
    const t = this.now().toFixed(6);
    const actor = this.label(1);
    try {
      writeSync(this.share.fd, `{"t":${t},"event":"left_out","actor":${actor},"count":${count}}\n`);
      this.words[LEFT_OUT] = 0;
    } catch {
      // the next time
    }
  }

  /** The program goes on without. */
  private fail(fault: unknown): void {
    this.words[FAILED] = 1;
    if (this.share.label === '')
      this.failure = `the trace in ${this.share.name} ends here: ${reasonOf(fault)}`;
  }
}

export const tracing: {
  /** undefined: nobody wants to know. */
  on: Tracer | undefined;
  /** That it can't be written any more, once. */
  failed: (message: string) => void;
} = { on: undefined, failed: () => {} };

const because = (reason: string | undefined): string =>
  reason === undefined || reason === ''
    ? ''
    : `,"reason":${JSON.stringify(oneLine(reason, REASON))}`;

/** `/a/words.lua` and `/a/words/init.lua` → `words` */
function nameOf(file: string): string {
  const parts = file.replace(/\.lua$/, '').split('/');
  const last = parts.pop() ?? '';
  const name = last === 'init' ? (parts.pop() ?? last) : last;
  return name.slice(0, NAME_SIZE - 2).replace(/[^\w.-]/g, '_') || 'actor';
}

function isRegular(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

export function reasonOf(fault: unknown): string {
  const { errno, code, message } = fault as NodeJS.ErrnoException;
  return errno === undefined ? (code ?? message) : systemCategory.describe(-errno);
}

/** A system call of Node's failed. */
export const isSystemFault = (thrown: unknown): thrown is NodeJS.ErrnoException =>
  thrown instanceof Error && 'syscall' in thrown;

const through = (via: number | undefined): string =>
  via === undefined || via === 0 ? '' : `,"via":${via}`;

const traceMemory = (names: number): SharedArrayBuffer =>
  new SharedArrayBuffer(NAMES_AT + NAME_SIZE * names);

/** What the process of an actor is told, so that it says what its own actors do. */
export interface TraceTask {
  readonly start: string;
  /** Its name. */
  readonly label: string;
  /** Its inbox. */
  readonly via: number;
}

/**
 * This is the process of an actor that is traced.
 * @param fd  a socket of packets, whose other end checks what is said
 */
export function startProcessTrace({ start, label }: TraceTask, fd: number): Tracer {
  const buffer = traceMemory(FEW_NAMES);
  const tracer = new Tracer({ buffer, fd, name: '', start: BigInt(start), label }, 0);
  tracing.on = tracer;
  return tracer;
}

/** This is a thread of a process that is traced. */
export function startThreadTrace(share: TraceShare, slot: number): void {
  tracing.on = new Tracer(share, slot);
}

/**
 * Begin a trace in this process.
 * @param file     bytes as code units
 * @param program  what is run
 * @throws  the file can't be opened, or nothing be written to it
 */
export function startTrace(file: string, program: string): Tracer {
  const fd = openTrace(file);
  const share: TraceShare = {
    buffer: traceMemory(MOST_NAMES),
    fd,
    name: oneLine(file, PATH),
    start: process.hrtime.bigint(),
    label: '',
  };
  const head = {
    event: 'start',
    version: TRACE_VERSION,
    pid: process.pid,
    program: oneLine(program, PATH),
    time: new Date().toISOString(),
  };
  try {
    // At once, so that a full disk is seen here.
    writeSync(fd, `{"t":0,${JSON.stringify(head).slice(1)}\n`);
  } catch (thrown) {
    if (fd > 2) closeSync(fd);
    throw thrown;
  }
  const tracer = new Tracer(share, 0);
  tracing.on = tracer;
  return tracer;
}

const STANDARD: ReadonlyMap<string, number> = new Map([
  ...['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'].map((name) => [name, 1] as const),
  ...['/dev/stderr', '/dev/fd/2', '/proc/self/fd/2'].map((name) => [name, 2] as const),
]);

/** What is a standard stream already is written through it, so that neither writes over the other. */
function openTrace(file: string): number {
  // Sockets can't be opened by such a name.
  const standard = STANDARD.get(file);
  if (standard !== undefined) return standard;
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOCTTY } = constants;
  const fd = openSync(Buffer.from(file, 'latin1'), O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0o666);
  const opened = fstatSync(fd);
  for (const stream of [2, 1]) {
    if (!isSameFile(opened, stream)) continue;
    closeSync(fd);
    return stream;
  }
  if (opened.isFile()) ftruncateSync(fd);
  return fd;
}

function isSameFile({ dev, ino }: Stats, fd: number): boolean {
  try {
    const other = fstatSync(fd);
    return other.dev === dev && other.ino === ino;
  } catch {
    return false; // it is closed
  }
}

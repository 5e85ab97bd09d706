/**
 * What a traced process says of its own actors, for the trace of the process that made it. It may be hostile: what
 * it says is checked field by field and written anew, marked as said by it; names of other processes' actors are not
 * taken from it, and neither are times at which it was not there. It is read in small portions, and no more than so
 * much of it, so that it can keep nobody busy and fill no disk.
 */
import { isUtf8 } from 'node:buffer';
import { IoGroup } from '../io/group.ts';
import { closeAll, giveDescriptor, PacketReceiver, packetPair } from '../io/packet.ts';
import { oneLine } from './summary.ts';
import type { Tracer, TraceTask } from './trace.ts';
import { fieldsOf } from './trace-file.ts';

/** Bytes of a packet: a tracer writes no more at once. */
const MAX_PACKET = 4096;
/** Packets that are read in one go, then a pause in milliseconds; and at the end of the process. */
const PORTION = 16;
const PAUSE = 10;
const AT_THE_END = 256;
/** Bytes of one process. */
const MOST = 64 * 2 ** 20;

const EVENTS: ReadonlySet<string> = new Set([
  ...['spawn', 'send', 'wait', 'receive', 'drop', 'unanswered', 'no_senders', 'monitor', 'down'],
  ...['close', 'detach', 'kill', 'malformed', 'exit', 'left_out'],
]);

const FIELDS: Readonly<Record<string, 'name' | 'text' | 'word' | 'number' | 'flag'>> = {
  actor: 'name',
  from: 'name',
  to: 'name',
  by: 'name',
  said_by: 'name',
  id: 'number',
  via: 'number',
  request: 'number',
  answers: 'number',
  size: 'number',
  code: 'number',
  count: 'number',
  thread: 'number',
  pid: 'number',
  home: 'word',
  how: 'word',
  sandbox: 'word',
  signal: 'word',
  type: 'word',
  vm: 'word',
  module: 'text',
  message: 'text',
  reason: 'text',
  assumed: 'flag',
};

/** Characters of a text; trace.ts has shorter ones. */
const MAX_TEXT = 700;
const MAX_NAME = 290;

const bytes = Buffer.alloc(MAX_PACKET + 1);
const out = new Int32Array(3);

/** For a process that is to be made: its first packet is a socket for what it says. @param inbox  the sending end */
export function openReports(trace: Tracer, actor: number, inbox: number): Reports | undefined {
  const task = trace.taskFor(actor, inbox);
  if (task === undefined) return undefined;
  const { sender, receiver } = packetPair();
  const given = giveDescriptor(inbox, sender);
  closeAll([sender]);
  if (given >= 0) return new Reports(receiver, trace, task);
  closeAll([receiver]);
  return undefined;
}

export class Reports {
  readonly task: TraceTask;
  private readonly receiver: PacketReceiver;
  private readonly trace: Tracer;
  private readonly since: number;
  private left = MOST;
  private timer: NodeJS.Timeout | undefined = undefined;

  constructor(fd: number, trace: Tracer, task: TraceTask) {
    this.trace = trace;
    this.task = task;
    this.since = trace.now();
    this.receiver = new PacketReceiver(fd, new IoGroup(), () => this.read(PORTION));
    trace.atEnd.add(this.finish);
  }

  /** The process is there. */
  begin(): void {
    if (this.receiver.watch() < 0) this.close();
    else this.read(PORTION);
  }

  close(): void {
    this.trace.atEnd.delete(this.finish);
    clearTimeout(this.timer);
    this.timer = undefined;
    this.receiver.close();
  }

  /** It has ended, or the trace does: what it has said is there. */
  readonly finish = (): void => {
    this.read(AT_THE_END);
    this.close();
  };

  private read(most: number): void {
    if (this.timer !== undefined && most === PORTION) return;
    for (let i = 0; i < most; i++) {
      const packet = this.receiver.receive(bytes, out);
      if (packet.kind === 'none') return;
      if (packet.kind === 'end') return this.close();
      if (packet.kind !== 'packet') return this.cut();
      closeAll(packet.fds);
      this.left -= packet.length;
      const said = bytes.subarray(0, packet.length);
      if (this.left < 0 || packet.length > MAX_PACKET || !isUtf8(said)) return this.cut();
      for (const line of said.toString('utf8').split('\n')) if (line !== '') this.take(line);
    }
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.read(PORTION);
    }, PAUSE).unref();
  }

  /** Nothing more is taken from it. */
  private cut(): void {
    this.close();
    const label = JSON.stringify(this.task.label);
    this.trace.line(`"event":"left_out","actor":${label}`);
  }

  private take(line: string): void {
    const claim = this.checked(line);
    if (claim === undefined) return;
    const now = this.trace.now();
    this.trace.claimed(claim.t >= this.since && claim.t <= now ? claim.t : now, claim.rest);
  }

  /** @returns undefined: that is not how a line looks */
  private checked(line: string): { readonly t: number; readonly rest: string } | undefined {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return undefined;
    }
    if (typeof value !== 'object' || value === null) return undefined;
    const fields = new Map<string, unknown>(Object.entries(value));
    const event = fields.get('event');
    const t = fields.get('t');
    if (typeof t !== 'number' || typeof event !== 'string' || !EVENTS.has(event)) return undefined;
    if (!fieldsOf(event).every((name) => fields.has(name))) return undefined;
    const { label } = this.task;
    let rest = `"event":"${event}"`;
    for (const [name, kind] of Object.entries(FIELDS)) {
      if (!fields.has(name) || name === 'said_by') continue;
      const text = this.field(kind, fields.get(name));
      if (text === undefined) return undefined;
      rest += `,"${name}":${name === 'to' ? this.target(text, fields.get('via')) : text}`;
    }
    const by = this.field('name', fields.get('said_by') ?? label);
    return by === undefined ? undefined : { t, rest: `${rest},"said_by":${by}` };
  }

  private field(kind: (typeof FIELDS)[string], value: unknown): string | undefined {
    switch (kind) {
      case 'name':
        return typeof value === 'string' && this.isOwn(value) ? JSON.stringify(value) : undefined;
      case 'word':
        return typeof value === 'string' && /^[\w -]{0,40}$/.test(value) ? `"${value}"` : undefined;
      case 'number':
        return Number.isSafeInteger(value) && (value as number) >= 0 ? String(value) : undefined;
      case 'flag':
        return typeof value === 'boolean' ? String(value) : undefined;
      case 'text':
        if (typeof value !== 'string') return undefined;
        return JSON.stringify(oneLine(Buffer.from(value, 'utf8').toString('latin1'), MAX_TEXT));
    }
  }

  /** An actor of this process, or nobody that is known. */
  private isOwn(name: string): boolean {
    const { label } = this.task;
    if (name === '?' || name === label) return true;
    return (
      name.length <= MAX_NAME &&
      name.startsWith(`${label}/`) &&
      /^(\/[\w.-]{1,30}#\d{1,10})+$/.test(name.slice(label.length))
    );
  }

  /** It doesn't know to whom the sockets lead that it was given. */
  private target(name: string, via: unknown): string {
    if (name !== '"?"' || typeof via !== 'number') return name;
    return this.trace.targetOfVia(via) ?? name;
  }
}

/**
 * Frames: what one thread tells another, as bytes. Numbers are as the machine has them.
 *
 * What a value owns goes with the frame: descriptors by number, since they are the process's, and addresses with
 * a reference each. Every frame is decoded once, also where nobody wants it.
 */

import { decodeBytes, decodeName, encodeBytes } from '../../runtime/bytes.ts';
import { codeError } from '../../runtime/error-code.ts';
import { recordOf } from '../../runtime/records.ts';
import { fromArray, LuaTable, numbers, rawLength, TableIterator } from '../../runtime/table.ts';
import type { LuaValue } from '../../runtime/value.ts';
import { TxChannel } from '../address.ts';
import { DirectoryHandle } from '../directory-handle.ts';
import { FileDescriptor, fdOnItsWay } from '../file-descriptor.ts';
import { IpcChannel } from '../ipc-channel.ts';
import type { Owned, Recipient } from '../mailbox.ts';
import { type End, type Stamp, tracing } from '../trace.ts';
import type { Address } from './memory.ts';

/** Mailboxes of this thread and of others. */
export interface Directory {
  /** With a reference for the frame. @throws LuaError  EAGAIN */
  addressOf(recipient: Recipient): Address;
  /** The frame's reference is another's then, and is to be given back. */
  recipientAt(address: Address): Recipient;
  giveBack(address: Address): void;
}

const FALSE = 0;
const TRUE = 1;
const INTEGER = 2;
const DOUBLE = 3;
const STRING = 4;
const ARRAY = 5;
const RECORD = 6;
const CHANNEL = 7;
const DESCRIPTOR = 8;
const SOCKET = 9;
const DIRECTORY = 10;
/** Arrays of these alone. */
const INTEGERS = 11;
const DOUBLES = 12;

const SHORT = 24;
/** Bytes of a short frame. */
const FEW = 64;
/** Tables within each other, of what is sent as it is. */
const MAX_DEPTH = 32;
const FIRST_SIZE = 64 * 1024;
/** A buffer beyond this is not kept. */
const KEPT = 1024 * 1024;
/** Bytes that a frame may have. Tests change it. */
export const frameLimit = { bytes: 2 ** 30 };

export class FrameWriter {
  private readonly directory: Directory;
  private bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
  private view = new DataView(this.bytes.buffer);
  private at = 0;
  private addresses: Address[] = [];
  private descriptors: number[] = [];
  /** Frames of few bytes, by their length: an array that is new costs more than what is written into it. */
  private short: Uint8Array[] = [];

  constructor(directory: Directory) {
    this.directory = directory;
  }

  begin(kind: number): this {
    this.at = 0;
    // Mostly there are none, and this is a call into V8's runtime.
    if (this.addresses.length > 0) this.addresses.length = 0;
    if (this.descriptors.length > 0) this.descriptors.length = 0;
    return this.byte(kind);
  }

  /** Whether the next frame will be where this one is. */
  reuses(frame: Uint8Array): boolean {
    return frame.buffer === this.bytes.buffer;
  }

  /** The frame, until the next one is begun. */
  get frame(): Uint8Array {
    const { at } = this;
    if (at <= FEW && this.bytes.length <= KEPT)
      return (this.short[at] ??= this.bytes.subarray(0, at));
    const frame = this.bytes.subarray(0, at);
    if (this.bytes.length > KEPT) this.resize(FIRST_SIZE);
    return frame;
  }

  private resize(size: number): void {
    this.short = [];
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.bytes.buffer);
  }

  private room(size: number): number {
    const { at, bytes } = this;
    const end = at + size;
    if (end > bytes.length) {
      if (end > frameLimit.bytes) throw codeError('EMSGSIZE');
      this.resize(Math.max(end, Math.min(bytes.length * 2, frameLimit.bytes)));
      bytes.copy(this.bytes, 0, 0, at);
    }
    this.at = end;
    return at;
  }

  byte(n: number): this {
    const at = this.room(1);
    this.bytes[at] = n;
    return this;
  }

  integer(n: number): this {
    const at = this.room(4);
    this.view.setInt32(at, n, true);
    return this;
  }

  text(s: string): this {
    const { length } = s;
    this.integer(length);
    const at = this.room(length);
    if (length > SHORT) encodeBytes(s, this.bytes, at);
    else for (let i = 0; i < length; i++) this.bytes[at + i] = s.charCodeAt(i);
    return this;
  }

  optionalText(s: string | undefined): this {
    return s === undefined ? this.byte(0) : this.byte(1).text(s);
  }

  /** One that has been copied. */
  value(v: LuaValue): this {
    this.put(v, Infinity);
    return this;
  }

  /** What owns nothing. @returns false: it is, or has in it, something else, or many tables within each other */
  data(v: LuaValue): boolean {
    return this.put(v, MAX_DEPTH);
  }

  /** @param depth  so many tables may be within each other; Infinity: it is a copy, and may own something */
  private put(v: LuaValue, depth: number): boolean {
    switch (typeof v) {
      case 'string':
        this.byte(STRING).text(v);
        return true;
      case 'boolean':
        this.byte(v ? TRUE : FALSE);
        return true;
      case 'number':
        this.number(v);
        return true;
      default:
        if (v instanceof LuaTable) return this.table(v, depth);
        if (depth === Infinity) this.object(v);
        return depth === Infinity;
    }
  }

  private number(n: number): void {
    if (isInteger(n)) {
      this.byte(INTEGER).integer(n);
      return;
    }
    this.byte(DOUBLE);
    const at = this.room(8);
    this.view.setFloat64(at, n, true);
  }

  private table(t: LuaTable, depth: number): boolean {
    if (depth === 0 || t.meta !== undefined) return false;
    const length = rawLength(t);
    if (length === 0) return this.record(t, depth - 1);
    return t.arr.length === length + 1 && this.array(t.arr, length, depth - 1);
  }

  private array(arr: readonly LuaValue[], length: number, depth: number): boolean {
    if (typeof arr[1] === 'number' && this.numbers(arr, length)) return true;
    this.byte(ARRAY).integer(length);
    for (let i = 1; i <= length; i++) if (!this.put(arr[i], depth)) return false;
    return true;
  }

  /** @returns false: there are others */
  private numbers(arr: readonly LuaValue[], length: number): boolean {
    let integers = 0;
    for (let i = 1; i <= length; i++) {
      const n = arr[i];
      if (typeof n !== 'number') return false;
      if (isInteger(n)) integers++;
    }
    const areIntegers = integers === length;
    this.byte(areIntegers ? INTEGERS : DOUBLES).integer(length);
    let at = this.room(length * (areIntegers ? 4 : 8));
    const { view } = this;
    if (areIntegers)
      for (let i = 1; i <= length; i++, at += 4) view.setInt32(at, arr[i] as number, true);
    else for (let i = 1; i <= length; i++, at += 8) view.setFloat64(at, arr[i] as number, true);
    return true;
  }

  private record(t: LuaTable, depth: number): boolean {
    const at = this.byte(RECORD).room(4);
    let count = 0;
    for (const it = new TableIterator(t); it.step(); ) {
      const { key } = it;
      if (typeof key !== 'string') continue;
      if (!this.text(key).put(it.value, depth)) return false;
      count++;
    }
    this.view.setInt32(at, count, true);
    return true;
  }

  /** What it owns is the frame's from now on. */
  private object(v: LuaValue): this {
    if (v instanceof FileDescriptor) return this.byte(DESCRIPTOR).descriptor(v.leave());
    if (v instanceof IpcChannel) {
      this.byte(SOCKET).descriptor(v.leave());
      return tracing.on === undefined ? this : this.end(tracing.on.endOf(v));
    }
    if (v instanceof DirectoryHandle) return this.byte(DIRECTORY).descriptor(v.leave());
    if (!(v instanceof TxChannel)) throw new TypeError('not the value of a message');
    const address = this.directory.addressOf(v.recipient);
    this.addresses.push(address);
    v.close();
    return this.byte(CHANNEL).integer(address);
  }

  descriptor(fd: number): this {
    this.descriptors.push(fd);
    return this.integer(fd);
  }

  // ── for a trace ──

  stamp(stamp: Stamp | undefined): this {
    return this.integer(stamp?.id ?? 0).integer(stamp?.from ?? 0);
  }

  private end(end: End | undefined): this {
    return this.integer(end?.actor ?? 0).byte(end?.assumed === true ? 1 : 0);
  }

  /** It can't be finished: what went into it is nobody's. */
  abandon(): void {
    for (const address of this.addresses) this.directory.giveBack(address);
    for (const fd of this.descriptors) fdOnItsWay(fd).discard();
  }
}

const isInteger = (n: number): boolean => (n | 0) === n && (n !== 0 || 1 / n > 0);

export class FrameReader {
  private readonly directory: Directory;
  private bytes: Buffer = Buffer.alloc(0);
  private view = new DataView(this.bytes.buffer);
  private at = 0;
  private owned: Owned[] = [];

  constructor(directory: Directory) {
    this.directory = directory;
  }

  begin(bytes: Buffer): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.at = 0;
  }

  /** Let go of a large one. */
  end(): void {
    if (this.bytes.length > KEPT) this.begin(Buffer.alloc(0));
  }

  byte(): number {
    return this.bytes[this.at++]!;
  }

  integer(): number {
    const n = this.view.getInt32(this.at, true);
    this.at += 4;
    return n;
  }

  text(): string {
    const length = this.integer();
    const { at, bytes } = this;
    this.at += length;
    if (length > SHORT) return decodeBytes(bytes, at, at + length);
    let s = '';
    for (let i = at; i < this.at; i++) s += String.fromCharCode(bytes[i]!);
    return s;
  }

  optionalText(): string | undefined {
    return this.byte() === 0 ? undefined : this.text();
  }

  descriptor(): FileDescriptor {
    return fdOnItsWay(this.integer());
  }

  /** A value, and what it owns. */
  message(): { readonly value: LuaValue; readonly owned: readonly Owned[] } {
    const value = this.value();
    const { owned } = this;
    this.owned = []; // nothing here keeps them
    return { value, owned };
  }

  private value(): LuaValue {
    const tag = this.byte();
    switch (tag) {
      case FALSE:
        return false;
      case TRUE:
        return true;
      case INTEGER:
        return this.integer();
      case DOUBLE:
        this.at += 8;
        return this.view.getFloat64(this.at - 8, true);
      case STRING:
        return this.text();
      case ARRAY:
        return this.array();
      case INTEGERS:
        return this.integers();
      case DOUBLES:
        return this.doubles();
      case RECORD:
        return this.record();
      case DESCRIPTOR:
        return this.own(this.descriptor());
      case SOCKET:
        return this.own(this.socket());
      case DIRECTORY:
        return this.own(new DirectoryHandle(this.integer()));
      case CHANNEL: {
        const address = this.integer();
        const channel = new TxChannel(this.directory.recipientAt(address));
        this.directory.giveBack(address);
        return this.own(channel);
      }
      default:
        throw new TypeError(`a frame with the tag ${tag}`);
    }
  }

  private socket(): IpcChannel {
    const channel = new IpcChannel(this.integer());
    tracing.on?.setEnd(channel, { actor: this.integer(), request: 0, assumed: this.byte() === 1 });
    return channel;
  }

  stamp(): Stamp {
    return { id: this.integer() >>> 0, from: this.integer() };
  }

  private array(): LuaTable {
    const length = this.integer();
    const elements: LuaValue[] = [0];
    for (let i = 0; i < length; i++) elements.push(this.value());
    return fromArray(elements);
  }

  private integers(): LuaTable {
    const length = this.integer();
    const elements = numbers([0]);
    const { view, at } = this;
    const end = at + length * 4;
    for (let i = at; i < end; i += 4) elements.push(view.getInt32(i, true));
    this.at = end;
    return fromArray(elements);
  }

  private doubles(): LuaTable {
    const length = this.integer();
    const elements = numbers([0.5]); // of V8's kind for doubles from the start
    const { view, at } = this;
    const end = at + length * 8;
    for (let i = at; i < end; i += 8) elements.push(view.getFloat64(i, true));
    this.at = end;
    return fromArray(elements);
  }

  /** Of tables within each other. */
  private readonly names: string[] = [];
  private readonly values: LuaValue[] = [];

  private record(): LuaTable {
    const { names, values } = this;
    const from = names.length;
    for (let n = this.integer(); n > 0; n--) {
      const length = this.integer();
      const { at } = this;
      this.at += length;
      const name = decodeName(this.bytes, at, this.at);
      const value = this.value();
      names.push(name);
      values.push(value);
    }
    const t = recordOf(names, values, from);
    names.length = from;
    values.length = from;
    return t;
  }

  private own<T extends LuaValue & Owned>(v: T): T {
    this.owned.push(v);
    return v;
  }
}

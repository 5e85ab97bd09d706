/**
 * Messages: copies of values, made when they are sent. What the receiver gets shares nothing with what
 * the sender has, but strings, which never change.
 */
import { Outside } from '../fibers/waitable.ts';
import { badArgument, categoryError, codeError } from '../runtime/error-code.ts';
import { domCategory } from '../runtime/json-category.ts';
import { DOM } from '../runtime/json-lex.ts';
import { recordOf } from '../runtime/records.ts';
import {
  fromArray,
  LuaTable,
  numbers,
  rawGetNumber,
  rawLength,
  TableIterator,
  tableOf,
} from '../runtime/table.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { TxChannel } from './address.ts';
import { DirectoryHandle } from './directory-handle.ts';
import { FileDescriptor, Spent } from './file-descriptor.ts';
import { IpcChannel } from './ipc-channel.ts';
import type { Mailbox, Message, Owned } from './mailbox.ts';

/** Tables within each other. */
const MAX_DEPTH = 1000;

/** What can't be sent; inside of tables it is left out. */
const UNSENDABLE = Symbol('unsendable');

/** The receiving end of a VM: sent, it arrives as a channel to this VM. */
export class Inbox extends Outside {
  readonly mailbox: Mailbox;
  constructor(mailbox: Mailbox) {
    super();
    this.mailbox = mailbox;
  }
}

class Copier {
  readonly owned: Owned[] = [];
  /** Tables that lead here. */
  private readonly path = new Set<LuaTable>();
  /** Of the tables of `path` that are records. */
  private readonly keys: string[] = [];
  private readonly values: LuaValue[] = [];

  copy(v: LuaValue): LuaValue | typeof UNSENDABLE {
    switch (typeof v) {
      case 'string':
      case 'number':
      case 'boolean':
        return v;
      case 'object':
        return v instanceof LuaTable ? this.copyTable(v) : this.copyObject(v);
      default:
        return UNSENDABLE;
    }
  }

  private copyTable(t: LuaTable): LuaTable | typeof UNSENDABLE {
    if (t.meta !== undefined) return UNSENDABLE;
    if (this.path.has(t)) throw categoryError(domCategory, DOM.cycleExists);
    if (this.path.size >= MAX_DEPTH) throw categoryError(domCategory, DOM.tooManyLevels);
    this.path.add(t);
    const length = rawLength(t);
    const copy = length > 0 ? this.copyArray(t, length) : this.copyRecord(t);
    this.path.delete(t);
    return copy;
  }

  /** The elements, up to the first that can't be sent. */
  private copyArray(t: LuaTable, length: number): LuaTable {
    const { arr } = t;
    if (arr.length === length + 1) {
      if (hasOnly('number', arr)) return fromArray(numbers(arr.slice() as number[]));
      if (hasOnly('string', arr)) return fromArray(arr.slice());
    }
    const elements: LuaValue[] = [0];
    for (let i = 1; i <= length; i++) {
      const element = this.copy(rawGetNumber(t, i));
      if (element === UNSENDABLE) break;
      elements.push(element);
    }
    return fromArray(elements);
  }

  private copyRecord(t: LuaTable): LuaTable {
    const { keys, values } = this;
    const from = keys.length;
    for (const it = new TableIterator(t); it.step(); ) {
      const { key } = it;
      if (typeof key !== 'string') continue;
      const copied = this.copy(it.value);
      if (copied === UNSENDABLE) continue;
      keys.push(key);
      values.push(copied);
    }
    const copy = recordOf(keys, values, from);
    keys.length = from;
    values.length = from;
    return copy;
  }

  private copyObject(v: object): LuaValue | typeof UNSENDABLE {
    if (v instanceof TxChannel) return v.isOpen ? this.own(new TxChannel(v.recipient)) : UNSENDABLE;
    if (v instanceof FileDescriptor) return this.copyDescriptor(v);
    if (v instanceof IpcChannel) return v.isOpen ? this.own(v.copy()) : UNSENDABLE;
    if (v instanceof DirectoryHandle) return v.isOpen ? this.own(v.copy()) : UNSENDABLE;
    if (v instanceof Inbox) return this.own(new TxChannel(v.mailbox));
    return UNSENDABLE;
  }

  /** Left out of tables where it is closed. */
  private copyDescriptor(v: FileDescriptor): FileDescriptor | typeof UNSENDABLE {
    if (!v.isUsable) {
      if (this.path.size === 0) throw codeError('EBUSY');
      return UNSENDABLE;
    }
    return this.own(v.copy());
  }

  private own<T extends LuaValue & Owned>(v: T): T {
    this.owned.push(v);
    return v;
  }
}

/** The elements of an array are all of this type. */
function hasOnly(type: 'number' | 'string', arr: readonly LuaValue[]): boolean {
  for (let i = 1; i < arr.length; i++) if (typeof arr[i] !== type) return false;
  return true;
}

const NOTHING: readonly Owned[] = [];

/** @throws EINVAL, ENOTSUP: the value itself can't be sent; cycle_exists, too_many_levels */
export function makeMessage(value: LuaValue): Message {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { value, owned: NOTHING };
  }
  const copier = new Copier();
  try {
    const copy = copier.copy(value);
    if (copy === UNSENDABLE) throw refusal(value);
    return { value: copy, owned: copier.owned };
  } catch (thrown) {
    for (const owned of copier.owned) owned.discard();
    throw thrown;
  }
}

function refusal(value: LuaValue): unknown {
  if (value instanceof Spent) return codeError('EBUSY');
  return value instanceof Userdata && !(value instanceof TxChannel || value instanceof IpcChannel)
    ? codeError('ENOTSUP')
    : badArgument(2);
}

/** A question, and where to answer it. */
export function makeRequest(value: LuaValue, reply: TxChannel): Message {
  const { value: request, owned } = makeMessage(value);
  return { value: tableOf({ request, reply }), owned: [...owned, reply] };
}

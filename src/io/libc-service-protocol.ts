/**
 * What a slave of libc_service asks its master, and what it is told, as bytes. Pure. Each question is one packet, with
 * a socket for the answer, which is one packet, too; native/libc-service/client.c is the other side.
 *
 *   question: 'PLSQ'  call  0 0 0   arguments
 *   answer:   'PLSA'  0: result, 1: the slave is to call its C library  0 0 0   results
 *   filters:  'PLSF'  0 0 0 0: the first packet of a slave's socket, with a file of (call, length, text) if there are any
 *
 * Arguments and results are values, one after the other: native/libc-service/filter.h. Whoever asks may be hostile: what is
 * not exactly that is no question.
 */

/** Call n of client.c is CALLS[n - 1]. */
export const CALLS = [
  'open',
  'openat',
  'unlink',
  'rename',
  'stat',
  'lstat',
  'access',
  'eaccess',
  'mkdir',
  'rmdir',
  'connect_unix',
  'connect_inet',
  'connect_inet6',
  'bind_unix',
  'bind_inet',
  'bind_inet6',
  'getaddrinfo',
] as const;
export type Call = (typeof CALLS)[number];

/** Numbers are int64; strings a byte a code unit. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | ReadonlyMap<string, Value>;

/** PATH_MAX less the NUL, and bytes of sun_path. */
const MAX_PATH = 4095;
const MAX_UNIX_PATH = 108;
/** Of a host or a service, less the NUL. */
const MAX_NAME = 1023;
const HEADER = 8;
export const MAX_QUESTION = HEADER + 2 * (MAX_PATH + 5) + 64;
/** As many descriptors may come with an answer. */
export const MAX_ANSWER_FDS = 8;
const RESOLVE = ['beneath', 'in_root', 'no_magiclinks', 'no_symlinks', 'no_xdev', 'cached'];

type OfPath = { readonly path: string };
type OfSocket = { readonly fd: number };
type Endpoint = OfSocket & { readonly address: Uint8Array; readonly port: number };

export type Question =
  | (OfPath & { readonly call: 'open'; readonly flags: number; readonly mode: number })
  | (OfPath & {
      readonly call: 'openat';
      /** its number in the slave, where it came with the question; -100: its working directory */
      readonly directory: number;
      readonly flags: number;
      readonly mode: number;
      readonly resolve: readonly string[];
    })
  | (OfPath & { readonly call: 'unlink' | 'stat' | 'lstat' | 'rmdir' })
  | (OfPath & { readonly call: 'rename'; readonly to: string })
  | (OfPath & { readonly call: 'access' | 'eaccess' | 'mkdir'; readonly mode: number })
  | (OfPath & OfSocket & { readonly call: 'connect_unix' | 'bind_unix' })
  | (Endpoint & { readonly call: 'connect_inet' | 'bind_inet' })
  | (Endpoint & { readonly call: 'connect_inet6' | 'bind_inet6'; readonly scope: number })
  | {
      readonly call: 'getaddrinfo';
      readonly node: string;
      readonly service: string | null;
      readonly protocol: string | null;
    };

// ── values ───────────────────────────────────────────────────────────────────────────────────────────

const NIL = 0x6e;
const TRUE = 0x74;
const FALSE = 0x66;
const INT = 0x69;
const STRING = 0x73;
const LIST = 0x6c;
const TABLE = 0x6d;

class Writer {
  private readonly parts: number[] = [];

  byte(n: number): void {
    this.parts.push(n);
  }

  size(kind: number, n: number): void {
    this.parts.push(kind, n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, n >>> 24);
  }

  text(bytes: string): void {
    this.size(STRING, bytes.length);
    for (let i = 0; i < bytes.length; i++) this.parts.push(bytes.charCodeAt(i));
  }

  value(v: Value): void {
    if (v === null) this.byte(NIL);
    else if (typeof v === 'boolean') this.byte(v ? TRUE : FALSE);
    else if (typeof v === 'number' || typeof v === 'bigint') this.int(BigInt(v));
    else if (typeof v === 'string') this.text(v);
    else if (isTable(v)) {
      this.size(TABLE, v.size);
      for (const [name, field] of v) {
        this.text(name);
        this.value(field);
      }
    } else {
      this.size(LIST, v.length);
      for (const item of v) this.value(item);
    }
  }

  private int(n: bigint): void {
    this.byte(INT);
    for (let i = 0n; i < 64n; i += 8n) this.parts.push(Number((n >> i) & 0xffn));
  }

  done(): Uint8Array {
    return Uint8Array.from(this.parts);
  }
}

const isTable = (v: Value): v is ReadonlyMap<string, Value> => v instanceof Map;

/** Takes values of the kinds that are expected; anything else throws. */
class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = HEADER;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private kind(wanted: number, size: number): void {
    if (this.bytes[this.at] !== wanted || this.at + size > this.bytes.length) throw new Malformed();
  }

  private size(kind: number, most: number): number {
    this.kind(kind, 5);
    const n = this.view.getUint32(this.at + 1, true);
    if (n > most) throw new Malformed();
    this.at += 5;
    return n;
  }

  int(least: number, most: number): number {
    this.kind(INT, 9);
    const n = this.view.getBigInt64(this.at + 1, true);
    if (n < BigInt(least) || n > BigInt(most)) throw new Malformed();
    this.at += 9;
    return Number(n);
  }

  text(least: number, most: number): string {
    const length = this.size(STRING, most);
    if (length < least || this.at + length > this.bytes.length) throw new Malformed();
    let text = '';
    for (const end = this.at + length; this.at < end; this.at++)
      text += String.fromCharCode(this.bytes[this.at]!);
    return text;
  }

  /** As C has it. */
  name(most: number): string {
    const text = this.text(0, most);
    if (text.includes('\0')) throw new Malformed();
    return text;
  }

  nameOrNil(most: number): string | null {
    if (this.bytes[this.at] !== NIL) return this.name(most);
    this.at++;
    return null;
  }

  directory(): number {
    const fd = this.int(AT_FDCWD, INT32);
    if (fd < 0 && fd !== AT_FDCWD) throw new Malformed();
    return fd;
  }

  address(length: number): Uint8Array {
    if (this.size(LIST, length) !== length) throw new Malformed();
    return Uint8Array.from({ length }, () => this.int(0, 255));
  }

  names(all: readonly string[]): string[] {
    const list = Array.from({ length: this.size(LIST, all.length) }, () => this.name(32));
    // Each once, and in the order of the bits.
    const order = list.map((name) => all.indexOf(name));
    if (order.some((n, i) => n < 0 || (i > 0 && n <= order[i - 1]!))) throw new Malformed();
    return list;
  }

  end(): void {
    if (this.at !== this.bytes.length) throw new Malformed();
  }
}

class Malformed extends Error {}

// ── questions ────────────────────────────────────────────────────────────────────────────────────────

const UINT32 = 0xffff_ffff;
const INT32 = 0x7fff_ffff;
const AT_FDCWD = -100;

function take(call: Call, r: Reader): Question {
  switch (call) {
    case 'open':
      return { call, path: r.name(MAX_PATH), flags: r.int(0, UINT32), mode: r.int(0, UINT32) };
    case 'openat':
      return {
        call,
        directory: r.directory(),
        path: r.name(MAX_PATH),
        flags: r.int(0, UINT32),
        mode: r.int(0, UINT32),
        resolve: r.names(RESOLVE),
      };
    case 'unlink':
    case 'stat':
    case 'lstat':
    case 'rmdir':
      return { call, path: r.name(MAX_PATH) };
    case 'rename':
      return { call, path: r.name(MAX_PATH), to: r.name(MAX_PATH) };
    case 'access':
    case 'eaccess':
    case 'mkdir':
      return { call, path: r.name(MAX_PATH), mode: r.int(0, UINT32) };
    case 'connect_unix':
    case 'bind_unix': {
      const question = { call, fd: r.int(0, INT32), path: r.text(1, MAX_UNIX_PATH) };
      // That of an abstract socket begins with one, and may have any.
      if (question.path[0] !== '\0' && question.path.includes('\0')) throw new Malformed();
      return question;
    }
    case 'connect_inet':
    case 'bind_inet':
      return { call, fd: r.int(0, INT32), address: r.address(4), port: r.int(0, 65535) };
    case 'connect_inet6':
    case 'bind_inet6':
      return {
        call,
        fd: r.int(0, INT32),
        address: r.address(16),
        port: r.int(0, 65535),
        scope: r.int(0, UINT32),
      };
    case 'getaddrinfo': {
      const node = r.name(MAX_NAME);
      const service = r.nameOrNil(MAX_NAME);
      const protocol = r.nameOrNil(8);
      if (protocol !== null && protocol !== 'tcp' && protocol !== 'udp') throw new Malformed();
      return { call, node, service, protocol };
    }
    default:
      throw new Malformed();
  }
}

/** How many descriptors come with it, beside the socket for the answer. */
export function descriptorsOf(q: Question): number {
  if (q.call === 'openat') return q.directory < 0 ? 0 : 1;
  return 'fd' in q ? 1 : 0;
}

/**
 * @param fds  descriptors that came with it, the socket for the answer included
 * @returns    undefined: this is no question
 */
export function decodeQuestion(
  bytes: Uint8Array,
  length: number,
  fds: number,
): Question | undefined {
  if (length < HEADER || length > MAX_QUESTION || !isHeader(bytes, 'PLSQ')) return undefined;
  const call = CALLS[bytes[4]! - 1];
  if (call === undefined) return undefined;
  try {
    const reader = new Reader(bytes.subarray(0, length));
    const question = take(call, reader);
    reader.end();
    return fds === 1 + descriptorsOf(question) ? question : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

const isHeader = (bytes: Uint8Array, magic: string): boolean =>
  [0, 1, 2, 3].every((i) => bytes[i] === magic.charCodeAt(i)) &&
  bytes[5] === 0 &&
  bytes[6] === 0 &&
  bytes[7] === 0;

function packet(magic: string, what: number, values: readonly Value[]): Uint8Array {
  const w = new Writer();
  for (const c of magic) w.byte(c.charCodeAt(0));
  for (const n of [what, 0, 0, 0]) w.byte(n);
  for (const v of values) w.value(v);
  return w.done();
}

/** As a slave would send it. */
export function encodeQuestion(q: Question): Uint8Array {
  return packet('PLSQ', CALLS.indexOf(q.call) + 1, argumentsOf(q));
}

function argumentsOf(q: Question): Value[] {
  switch (q.call) {
    case 'open':
      return [q.path, q.flags, q.mode];
    case 'openat':
      return [q.directory, q.path, q.flags, q.mode, q.resolve];
    case 'unlink':
    case 'stat':
    case 'lstat':
    case 'rmdir':
      return [q.path];
    case 'rename':
      return [q.path, q.to];
    case 'access':
    case 'eaccess':
    case 'mkdir':
      return [q.path, q.mode];
    case 'connect_unix':
    case 'bind_unix':
      return [q.fd, q.path];
    case 'connect_inet':
    case 'bind_inet':
      return [q.fd, [...q.address], q.port];
    case 'connect_inet6':
    case 'bind_inet6':
      return [q.fd, [...q.address], q.port, q.scope];
    case 'getaddrinfo':
      return [q.node, q.service, q.protocol];
  }
}

// ── answers ──────────────────────────────────────────────────────────────────────────────────────────

export const encodeResult = (values: readonly Value[]): Uint8Array => packet('PLSA', 0, values);

/** The slave has to call its C library itself. */
export const USE_OWN: Uint8Array = packet('PLSA', 1, []);

// ── filters ──────────────────────────────────────────────────────────────────────────────────────────

export const FILTERS_FOLLOW: Uint8Array = packet('PLSF', 0, []);

export function encodeFilters(filters: ReadonlyMap<Call, string>): Uint8Array {
  const parts = [...filters].map(([call, text]) => {
    const head = Buffer.alloc(5);
    head[0] = CALLS.indexOf(call) + 1;
    head.writeUInt32LE(text.length, 1);
    return Buffer.concat([head, Buffer.from(text, 'latin1')]);
  });
  return Buffer.concat(parts);
}

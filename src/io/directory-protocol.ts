/**
 * What a holder of a directory's handle asks for, and what it is told, as bytes. Pure. Each question is one packet, with
 * a socket for the answer, which is one packet, too.
 *
 *   question: magic  what  0 0   flags  mode  resolve   cookie (8 bytes)   path
 *   answer:   magic  carries  0 0   result (≥ 0, or -errno)   what was asked for
 *
 * Numbers have 4 bytes, the least significant first. The other side may be hostile: what is not exactly that is no question.
 */

export const OPEN = 1;
export const LIST = 2;
export const STAT = 3;
export const MAKE = 4;
export const REMOVE = 5;

/** Of what is opened; the first two are one number, as for open(2). */
export const READ_ONLY = 0;
export const WRITE_ONLY = 1;
export const READ_WRITE = 2;
export const ACCESS = 3;
export const APPEND = 4;
export const CREATE = 8;
export const EXCLUSIVE = 0x10;
export const TRUNCATE = 0x20;
export const SYNC = 0x40;
export const DIRECTORY = 0x80;
export const NO_FOLLOW = 0x100;
export const TEMPORARY = 0x200;
const ALL_FLAGS = 0x3ff;

const QUESTION = 0x64;
const ANSWER = 0x44;
const QUESTION_HEADER = 24;
const ANSWER_HEADER = 8;
/** PATH_MAX, less the NUL. */
export const MAX_PATH = 4095;
export const MAX_QUESTION = QUESTION_HEADER + MAX_PATH;
/** Of records of a directory. */
export const MAX_LIST = 16 * 1024;
export const MAX_ANSWER = ANSWER_HEADER + MAX_LIST;

export type Carries = 'nothing' | 'descriptor' | 'directory';
const CARRIES: readonly Carries[] = ['nothing', 'descriptor', 'directory'];

export interface Question {
  readonly what: number;
  readonly flags: number;
  readonly mode: number;
  readonly resolve: number;
  /** Where a list goes on: two halves of d_off. */
  readonly cookie: readonly [high: number, low: number];
  /** A byte a code unit, no NUL. */
  readonly path: string;
}

export function encodeQuestion(q: Question): Uint8Array {
  const bytes = new Uint8Array(QUESTION_HEADER + q.path.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = QUESTION;
  bytes[1] = q.what;
  view.setUint32(4, q.flags, true);
  view.setUint32(8, q.mode, true);
  view.setUint32(12, q.resolve, true);
  view.setInt32(16, q.cookie[0], true);
  view.setInt32(20, q.cookie[1], true);
  for (let i = 0; i < q.path.length; i++) bytes[QUESTION_HEADER + i] = q.path.charCodeAt(i);
  return bytes;
}

/** @returns undefined: this is no question */
export function decodeQuestion(bytes: Uint8Array, length: number): Question | undefined {
  if (length < QUESTION_HEADER || length > MAX_QUESTION || bytes[0] !== QUESTION) return;
  if (bytes[2] !== 0 || bytes[3] !== 0) return;
  const what = bytes[1]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const flags = view.getUint32(4, true);
  if (what < OPEN || what > REMOVE || flags > ALL_FLAGS || (flags & ACCESS) === ACCESS) return;
  let path = '';
  for (let i = QUESTION_HEADER; i < length; i++) {
    if (bytes[i] === 0) return;
    path += String.fromCharCode(bytes[i]!);
  }
  return {
    what,
    flags,
    mode: view.getUint32(8, true),
    resolve: view.getUint32(12, true),
    cookie: [view.getInt32(16, true), view.getInt32(20, true)],
    path,
  };
}

export interface Answer {
  readonly result: number;
  readonly carries: Carries;
  readonly body: Uint8Array;
}

const NOTHING = new Uint8Array(0);

export function encodeAnswer(
  result: number,
  carries: Carries,
  body: Uint8Array = NOTHING,
): Uint8Array {
  const bytes = new Uint8Array(ANSWER_HEADER + body.length);
  bytes[0] = ANSWER;
  bytes[1] = CARRIES.indexOf(carries);
  new DataView(bytes.buffer).setInt32(4, result, true);
  bytes.set(body, ANSWER_HEADER);
  return bytes;
}

/** @param fds  descriptors that came with it. @returns undefined: this is no answer */
export function decodeAnswer(bytes: Uint8Array, length: number, fds: number): Answer | undefined {
  const carries = CARRIES[bytes[1]!];
  if (length < ANSWER_HEADER || bytes[0] !== ANSWER || carries === undefined) return;
  if (fds !== (carries === 'nothing' ? 0 : 1)) return;
  const result = new DataView(bytes.buffer, bytes.byteOffset, length).getInt32(4, true);
  return { result, carries, body: bytes.slice(ANSWER_HEADER, length) };
}

// ── lists ──────────────────────────────────────────────────────────────────────────────────────────

/** struct linux_dirent64 */
const AT_OFFSET = 8;
const AT_LENGTH = 16;
const AT_TYPE = 18;
const AT_NAME = 19;

export interface Entry {
  readonly name: string;
  /** Of the file: the type of st_mode, 12 bits lower. */
  readonly kind: number;
  /** Where the list goes on behind it. */
  readonly cookie: Question['cookie'];
}

/** @returns undefined: these are no records of a directory */
export function decodeList(records: Uint8Array): Entry[] | undefined {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  const entries: Entry[] = [];
  for (let at = 0; at < records.length; ) {
    if (at + AT_NAME >= records.length) return undefined;
    const end = at + view.getUint16(AT_LENGTH + at, true);
    const nul = records.indexOf(0, at + AT_NAME);
    if (end <= at + AT_NAME || end > records.length || nul < 0 || nul >= end) return undefined;
    let name = '';
    for (let i = at + AT_NAME; i < nul; i++) name += String.fromCharCode(records[i]!);
    const cookie = [
      view.getInt32(at + AT_OFFSET + 4, true),
      view.getInt32(at + AT_OFFSET, true),
    ] as const;
    entries.push({ name, kind: records[at + AT_TYPE]!, cookie });
    at = end;
  }
  return entries;
}

// ── what is known of a file ────────────────────────────────────────────────────────────────────────

/** Of a file: st_mode, links, size, and when its content was changed (seconds, nanoseconds). */
export interface FileFacts {
  readonly mode: number;
  readonly links: number;
  readonly size: number;
  readonly modified: number;
  readonly modifiedNs: number;
}

export function encodeFacts(f: FileFacts): Uint8Array {
  return new Uint8Array(Float64Array.of(f.mode, f.links, f.size, f.modified, f.modifiedNs).buffer);
}

/** @returns undefined: these are none */
export function decodeFacts(body: Uint8Array): FileFacts | undefined {
  if (body.length !== 40) return undefined;
  const n = new Float64Array(body.slice().buffer);
  if (!n.every(Number.isSafeInteger) || n[0]! < 0 || n[1]! < 0 || n[2]! < 0) return undefined;
  if (n[4]! < 0 || n[4]! > 999_999_999) return undefined;
  return { mode: n[0]!, links: n[1]!, size: n[2]!, modified: n[3]!, modifiedNs: n[4]! };
}

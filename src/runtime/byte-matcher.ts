/**
 * What finds separators in bytes. Regular expressions are userdata that match; `stream.scanner` takes
 * anything that is a `ByteMatcher`.
 */
import { Userdata } from './value.ts';

export abstract class ByteMatcher extends Userdata {
  /** After a match: where it ends. */
  matchEnd = 0;
  /** After no match: where to begin when more bytes have come. */
  resumeAt = 0;

  /**
   * The first match that is not empty.
   * @param more  bytes may follow `end`: a match that they could prolong isn't one yet
   * @param origin  where the text begins, of which [from, end) is a part
   * @returns where it begins, in [from, end); -1
   */
  abstract find(
    bytes: Uint8Array,
    from: number,
    end: number,
    more: boolean,
    origin: number,
  ): number;
}

/** Runs of bytes of a set: `[ \t]+`. */
export class ByteRuns extends ByteMatcher {
  readonly members: Uint8Array;
  /** @param members  256 flags: see `byteSet` */
  constructor(members: Uint8Array) {
    super();
    this.members = members;
  }

  override find(bytes: Uint8Array, from: number, end: number, more: boolean): number {
    const { members } = this;
    let start = from;
    while (start < end && members[bytes[start]!] === 0) start++;
    let stop = start;
    while (stop < end && members[bytes[stop]!] === 1) stop++;
    if (start === end || (more && stop === end)) {
      this.resumeAt = start;
      return -1;
    }
    this.matchEnd = stop;
    return start;
  }
}

/** What finds its matches one after the other: a `ByteMatcher`, or a text. */
export interface Finder {
  matchEnd: number;
  find(bytes: Uint8Array, from: number, end: number, more: boolean, origin: number): number;
}

/** The pieces between matches in [from, to), empty ones included; of nothing there are none. */
export function eachPiece(
  finder: Finder,
  bytes: Uint8Array,
  from: number,
  to: number,
  piece: (start: number, end: number) => void,
): void {
  if (from === to) return;
  let start = from;
  for (;;) {
    const at = finder.find(bytes, start, to, false, from);
    if (at < 0) break;
    piece(start, at);
    start = finder.matchEnd;
  }
  piece(start, to);
}

/** The matches in [from, to), as they follow each other. */
export function eachMatch(
  finder: Finder,
  bytes: Uint8Array,
  from: number,
  to: number,
  match: (start: number, end: number) => void,
): void {
  for (let start = from; ; start = finder.matchEnd) {
    const at = finder.find(bytes, start, to, false, from);
    if (at < 0) return;
    match(at, finder.matchEnd);
  }
}

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
   * @returns where it begins, in [from, end); -1
   */
  abstract find(bytes: Uint8Array, from: number, end: number, more: boolean): number;
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

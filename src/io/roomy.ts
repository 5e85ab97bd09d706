/**
 * Memory for what is long, and soon gone. Each page of 4 KB that is touched for the first time is a page fault. From 2 MB on malloc
 * asks for huge pages (bin/perilune), each of which is one fault; the kernel has mappings begin where a huge page can if they are
 * as long as some.
 */
import { Buffer } from 'node:buffer';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

const HUGE_PAGE = 2 * 2 ** 20;
/** What malloc has in front of it, and room for other mallocs'; it maps whole pages of 4 KB. */
const HEAD = 64;
const WORTHWHILE = 512 * 1024;

/** Not filled: all of it must be written to before anybody else sees it. */
export function roomyBytes(size: number): Buffer {
  if (size < WORTHWHILE) return Buffer.allocUnsafeSlow(size);
  const room = Math.ceil((size + HEAD) / HUGE_PAGE) * HUGE_PAGE - HEAD;
  return Buffer.allocUnsafeSlow(room).subarray(0, size);
}

/** A file as Lua has it, one byte a code unit. @throws  as readFileSync */
export function readLatin1(path: string | Buffer): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size < WORTHWHILE) return readFileSync(fd, 'latin1');
    const bytes = roomyBytes(size + 1);
    let length = 0;
    for (let n = 1; n > 0; length += n)
      n = readSync(fd, bytes, length, bytes.length - length, null);
    const text = bytes.toString('latin1', 0, length);
    // It has grown meanwhile.
    return length > size ? text + readFileSync(fd, 'latin1') : text;
  } finally {
    closeSync(fd);
  }
}

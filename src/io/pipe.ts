/** Pipes: pipe(7). Both ends never block, whatever the other side of the pipe does. */
import { constants } from 'node:fs';
import { getStatusFlags, O_NONBLOCK, pipe2 } from '../sys/fd.ts';
import type { Fd } from '../sys/native.ts';
import type { DescriptorOptions } from './descriptor.ts';
import type { IoGroup } from './group.ts';
import { ByteHandle } from './handle.ts';

const BYTE_STREAM: DescriptorOptions = { shortReadDrains: true, levelReads: true };
const PACKETS: DescriptorOptions = { levelReads: true };

export class PipeEnd extends ByteHandle {
  /** Packets (O_DIRECT) end reads early. */
  protected override options(fd: Fd): DescriptorOptions | undefined {
    return (getStatusFlags(fd) & constants.O_DIRECT) === 0 ? BYTE_STREAM : PACKETS;
  }
}

/** EMFILE, ENFILE */
export function pipePair(group: IoGroup): { readonly source: PipeEnd; readonly sink: PipeEnd } {
  const source = new PipeEnd(group);
  const sink = new PipeEnd(group);
  const { readEnd, writeEnd } = pipe2(O_NONBLOCK);
  source.own(readEnd);
  sink.own(writeEnd);
  source.joinTo(sink);
  return { source, sink };
}

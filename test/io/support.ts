/**
 * What tests of io/ share: operations as promises, and a `test` that also fails when a descriptor or
 * a pending operation is left behind.
 */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { parseAddress } from '../../src/io/address.ts';
import { nativeBackend } from '../../src/io/backend.ts';
import { useBatches } from '../../src/io/batch.ts';
import { Descriptor } from '../../src/io/descriptor.ts';
import { IoGroup } from '../../src/io/group.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import { pendingCount } from '../../src/io/reactor.ts';
import type { Backend, TcpAcceptor, TcpSocket } from '../../src/io/transport.ts';
import { O_NONBLOCK, pipe2 } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { run } from './run.ts';

export { run };

export const loopback4 = parseAddress('127.0.0.1')!;
export const loopback6 = parseAddress('::1')!;

/** An operation with its results in the order in which `done` had them: there must never be two. */
export class Recorded {
  readonly results: number[] = [];
  readonly op: Operation = new Operation((result) => {
    this.results.push(result);
  });
}

/** @returns what `Operation.value` of an accept is */
export async function accept(acceptor: TcpAcceptor): Promise<TcpSocket> {
  const op = new Operation(() => {});
  const result = await new Promise<number>((resolve) => {
    op.done = resolve;
    const now = acceptor.accept(op);
    if (now !== PENDING) resolve(now);
  });
  assert.equal(result, 0);
  return op.value as TcpSocket;
}

/** An acceptor on a port of the kernel's choice. */
export function listening(
  group: IoGroup,
  address = loopback4,
  backend: Backend = nativeBackend,
): TcpAcceptor {
  const acceptor = backend.tcpAcceptor(group);
  acceptor.open(address.family);
  acceptor.bind(address, 0);
  acceptor.listen(4096);
  return acceptor;
}

/** Two connected sockets. */
export async function connected(
  group: IoGroup,
  address = loopback4,
): Promise<[TcpSocket, TcpSocket]> {
  const acceptor = listening(group, address);
  const near = nativeBackend.tcpSocket(group);
  const accepting = accept(acceptor);
  assert.equal(await run((op) => near.connect(op, address, acceptor.localEndpoint().port)), 0);
  const far = await accepting;
  acceptor.close();
  return [near, far];
}

export async function writeAll(socket: TcpSocket, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const result = await run((op) => socket.write(op, bytes, at, bytes.length - at));
    assert.ok(result > 0, `write gave ${result}`);
    at += result;
  }
}

/** Read `count` bytes, or up to the end. */
export async function readAll(
  socket: Pick<TcpSocket, 'read'>,
  count: number,
  piece = 65536,
): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  let at = 0;
  while (at < count) {
    const length = Math.min(piece, count - at);
    const result = await run((op) => socket.read(op, bytes, at, length));
    assert.ok(result >= 0, `read gave ${result}`);
    if (result === 0) break;
    at += result;
  }
  return bytes.subarray(0, at);
}

/** The ends of a pipe. */
export function pipe(group: IoGroup): { readonly source: Descriptor; readonly sink: Descriptor } {
  const { readEnd, writeEnd } = pipe2(O_NONBLOCK);
  return { source: new Descriptor(readEnd, group), sink: new Descriptor(writeEnd, group) };
}

/** The descriptors of this process, with what they refer to. */
export function openFds(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const link = readlinkSync(`/proc/self/fd/${fd}`);
      return link.startsWith('/proc/') ? [] : [`${fd} ${link}`];
    } catch {
      return []; // the directory itself
    }
  });
}

let primed = false;

/** A test of the native backend, with a group that is closed at its end. */
export function ioTest(name: string, body: (group: IoGroup) => Promise<void> | void): void {
  const skip = nativeFailure() ?? false;
  test(name, { skip, timeout: 300_000 }, async () => {
    if (!primed) {
      // the reactor's own descriptors come with the first wait, that of batches with the first of them
      useBatches(true);
      const { source, sink } = pipe(new IoGroup());
      const { op } = new Recorded();
      source.read(op, new Uint8Array(1), 0, 1);
      source.close();
      sink.close();
      primed = true;
    }
    const before = openFds();
    const group = new IoGroup();
    try {
      await body(group);
    } finally {
      group.closeAll();
    }
    assert.equal(group.size, 0);
    assert.equal(pendingCount(), 0, 'operations are still pending');
    assert.deepEqual(openFds(), before, 'descriptors were left behind');
  });
}

/** Let the event loop run for a while, and look for events at its end. */
export async function turns(milliseconds = 5): Promise<void> {
  await delay(milliseconds);
  for (let i = 0; i < 3; i++) await nextTurn();
}

import assert from 'node:assert/strict';
import { parseAddress } from '../../src/io/address.ts';
import { nativeBackend } from '../../src/io/backend.ts';
import { RandomAccessFile } from '../../src/io/file.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import { OwnedFd } from '../../src/io/owned-fd.ts';
import { closeAll } from '../../src/io/packet.ts';
import type { NativeTcpSocket } from '../../src/io/tcp.ts';
import type { TcpSocket } from '../../src/io/transport.ts';
import {
  EALREADY,
  EBADF,
  ECANCELED,
  ECONNABORTED,
  EINVAL,
  EMFILE,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  errnoNumber,
  SysError,
} from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { close, dup } from '../../src/sys/fd.ts';
import { getLimits, RLIMIT_NOFILE, setLimits } from '../../src/sys/rlimit.ts';
import { getLinger, MSG_OOB, MSG_PEEK } from '../../src/sys/socket.ts';
import {
  accept,
  connected,
  ioTest,
  listening,
  loopback4,
  loopback6,
  openFds,
  Recorded,
  readAll,
  run,
  turns,
  writeAll,
} from './support.ts';

const ECONNRESET = errnoNumber('ECONNRESET')!;
const throwsErrno = (errno: number) => (error: unknown) =>
  error instanceof SysError && error.errno === errno;

for (const address of [loopback4, loopback6]) {
  ioTest(`a connection carries bytes both ways: IPv${address.family}`, async (group) => {
    const [near, far] = await connected(group, address);
    await writeAll(near, Buffer.from('ping'));
    assert.equal((await readAll(far, 4)).toString(), 'ping');
    await writeAll(far, Buffer.from('pong'));
    assert.equal((await readAll(near, 4)).toString(), 'pong');
    assert.deepEqual(near.localEndpoint(), far.remoteEndpoint());
    assert.deepEqual(near.remoteEndpoint(), far.localEndpoint());
    assert.deepEqual(near.remoteEndpoint().address, address);
    far.close();
    assert.equal(await run((op) => near.read(op, Buffer.alloc(4), 0, 4)), 0);
  });
}

ioTest('megabytes go through whole, in both directions at once', async (group) => {
  const [near, far] = await connected(group);
  const data = Buffer.alloc(3_000_000);
  for (let i = 0; i < data.length; i++) data[i] = (i * 7) ^ (i >> 8);
  const [a, b] = await Promise.all([
    readAll(far, data.length),
    readAll(near, data.length, 1000),
    writeAll(near, data),
    writeAll(far, data),
  ]);
  assert.ok(a.equals(data) && b.equals(data));
});

ioTest('a length of 0 is done at once', async (group) => {
  const [near] = await connected(group);
  const { op } = new Recorded();
  assert.equal(near.read(op, Buffer.alloc(0), 0, 0), 0);
  assert.equal(near.write(op, Buffer.alloc(0), 0, 0), 0);
});

ioTest('closed objects say EBADF', (group) => {
  const socket = nativeBackend.tcpSocket(group);
  const acceptor = nativeBackend.tcpAcceptor(group);
  const bytes = Buffer.alloc(1);
  const { op } = new Recorded();
  for (let round = 0; round < 2; round++) {
    assert.equal(socket.isOpen, false);
    assert.equal(socket.read(op, bytes, 0, 1), -EBADF);
    assert.equal(socket.write(op, bytes, 0, 0), -EBADF);
    assert.equal(socket.receive(op, bytes, 0, 1, 0), -EBADF);
    assert.equal(socket.send(op, bytes, 0, 1, 0), -EBADF);
    assert.equal(socket.wait(op, 'read'), -EBADF);
    assert.equal(acceptor.accept(op), -EBADF);
    for (const call of [
      () => socket.bind(loopback4, 0),
      () => socket.localEndpoint(),
      () => socket.remoteEndpoint(),
      () => socket.shutdown('both'),
      () => socket.disconnect(),
      () => socket.cancel(),
      () => socket.release(),
      () => socket.atMark,
      () => socket.bytesReadable(),
      () => socket.setOption('keep_alive', 1),
      () => socket.getLinger(),
      () => acceptor.listen(1),
      () => acceptor.getOption('enable_connection_aborted'),
    ]) {
      assert.throws(call, throwsErrno(EBADF), String(call));
    }
    socket.close();
    acceptor.close();
    if (round > 0) break;
    socket.open(4);
    acceptor.open(6);
    assert.throws(() => socket.open(4), throwsErrno(EALREADY));
    socket.close();
    acceptor.close();
  }
});

ioTest('options are set and read back; unknown ones are not supported', async (group) => {
  const [near] = await connected(group);
  for (const name of ['tcp_no_delay', 'keep_alive', 'out_of_band_inline', 'do_not_route']) {
    assert.equal(near.getOption(name), 0, name);
    near.setOption(name, 1);
    assert.notEqual(near.getOption(name), 0, name);
  }
  near.setOption('send_buffer_size', 40_000);
  assert.equal(near.getOption('send_buffer_size'), 40_000);
  near.setOption('receive_low_watermark', 3);
  assert.equal(near.getOption('receive_low_watermark'), 3);
  near.setLinger(true, 7);
  assert.deepEqual(near.getLinger(), { on: true, seconds: 7 });
  near.setLinger(false, 0);
  assert.throws(() => near.setOption('send_low_watermark', 1), throwsErrno(92)); // ENOPROTOOPT
  for (const name of ['no_such', 'constructor', '__proto__']) {
    assert.throws(() => near.setOption(name, 1), throwsErrno(EOPNOTSUPP));
    assert.throws(() => near.getOption(name), throwsErrno(EOPNOTSUPP));
  }
  const acceptor = nativeBackend.tcpAcceptor(group);
  acceptor.open(6);
  acceptor.setOption('v6_only', 1);
  acceptor.setOption('reuse_address', 1);
  acceptor.setOption('enable_connection_aborted', 1);
  assert.equal(acceptor.getOption('enable_connection_aborted'), 1);
  assert.equal(acceptor.getOption('v6_only'), 1);
});

ioTest('nobody listens: ECONNREFUSED, and the socket can be used again', async (group) => {
  const acceptor = listening(group);
  const { port } = acceptor.localEndpoint();
  acceptor.close();
  const socket = nativeBackend.tcpSocket(group);
  assert.equal(
    await run((op) => socket.connect(op, loopback4, port)),
    -errnoNumber('ECONNREFUSED')!,
  );
  const again = listening(group);
  const accepting = accept(again);
  assert.equal(await run((op) => socket.connect(op, loopback4, again.localEndpoint().port)), 0);
  await accepting;
  const { op } = new Recorded();
  assert.equal(socket.connect(op, loopback4, again.localEndpoint().port), -errnoNumber('EISCONN')!);
});

ioTest('a connect that nobody answers is cancelled, closed, or fails by itself', async (group) => {
  // A full queue of connections: the kernel drops further ones, and they wait.
  const acceptor = nativeBackend.tcpAcceptor(group);
  acceptor.open(4);
  acceptor.bind(loopback4, 0);
  acceptor.listen(0);
  const { port } = acceptor.localEndpoint();
  const waiting: [TcpSocket, Recorded][] = [];
  while (waiting.length < 2) {
    const socket = nativeBackend.tcpSocket(group);
    const recorded = new Recorded();
    if (socket.connect(recorded.op, loopback4, port) !== PENDING) continue;
    await turns(20);
    if (recorded.op.pending) waiting.push([socket, recorded]);
  }
  const [[first, cancelled], [second, closed]] = waiting as [
    [TcpSocket, Recorded],
    [TcpSocket, Recorded],
  ];
  const twice = new Recorded();
  assert.equal(first.connect(twice.op, loopback4, port), -EALREADY);
  cancelled.op.cancel();
  first.close();
  second.close();
  assert.deepEqual([cancelled.results, closed.results], [[-ECANCELED], [-ECANCELED]]);
});

ioTest('accept: cancelled, closed, and not listening', async (group) => {
  const acceptor = listening(group);
  const [first, second, third] = [new Recorded(), new Recorded(), new Recorded()];
  for (const { op } of [first, second]) assert.equal(acceptor.accept(op), PENDING);
  first.op.cancel();
  acceptor.cancel();
  assert.deepEqual([first.results, second.results], [[-ECANCELED], [-ECANCELED]]);
  assert.equal(acceptor.accept(third.op), PENDING);
  acceptor.close();
  assert.deepEqual(third.results, [-ECANCELED]);
  const deaf = nativeBackend.tcpAcceptor(group);
  deaf.open(4);
  assert.equal(deaf.accept(third.op), -EINVAL);
});

ioTest('accepts are served in order, one connection each', async (group) => {
  const acceptor = listening(group);
  const { port } = acceptor.localEndpoint();
  const order: number[] = [];
  const accepting = [0, 1, 2].map(async (i) => {
    const socket = await accept(acceptor);
    order.push(i);
    return socket;
  });
  const near = [0, 1, 2].map(() => nativeBackend.tcpSocket(group));
  for (const socket of near)
    assert.equal(await run((op) => socket.connect(op, loopback4, port)), 0);
  const far = await Promise.all(accepting);
  assert.deepEqual(order, [0, 1, 2]);
  for (const [i, socket] of near.entries()) {
    assert.deepEqual(socket.localEndpoint(), far[i]!.remoteEndpoint());
  }
});

ioTest('no descriptors left: EMFILE, and the connection is there afterwards', async (group) => {
  const acceptor = listening(group);
  const near = nativeBackend.tcpSocket(group);
  const { op } = new Recorded();
  near.connect(op, loopback4, acceptor.localEndpoint().port);
  await turns();
  const limits = getLimits(RLIMIT_NOFILE);
  const highest = Math.max(...openFds().map((line) => Number.parseInt(line, 10)));
  const fillers: TcpSocket[] = [];
  setLimits(RLIMIT_NOFILE, { soft: highest + 3, hard: limits.hard });
  try {
    for (;;) {
      const filler = nativeBackend.tcpSocket(group);
      fillers.push(filler);
      try {
        filler.open(4);
      } catch (error) {
        assert.ok(throwsErrno(EMFILE)(error));
        break;
      }
    }
    const waiting = new Recorded();
    assert.equal(acceptor.accept(waiting.op), -EMFILE);
    assert.equal(nativeBackend.tcpSocket(group).connect(waiting.op, loopback4, 1), -EMFILE);
  } finally {
    setLimits(RLIMIT_NOFILE, limits);
  }
  for (const filler of fillers) filler.close();
  await accept(acceptor);
});

ioTest('aborted connections are passed over, or reported', async (group) => {
  const acceptor = listening(group);
  const waiting = new Recorded();
  injectFault('accept4', { errno: ECONNABORTED, times: 3 });
  assert.equal(acceptor.accept(waiting.op), PENDING);
  waiting.op.cancel();
  const strict = listening(group);
  strict.enableConnectionAborted = true;
  injectFault('accept4', { errno: ECONNABORTED });
  assert.equal(strict.accept(waiting.op), -ECONNABORTED);
});

ioTest('a peer that resets: reads get ECONNRESET, writes EPIPE, once each way', async (group) => {
  const [near, far] = await connected(group);
  const reading = new Recorded();
  assert.equal(near.read(reading.op, Buffer.alloc(8), 0, 8), PENDING);
  far.setLinger(true, 0);
  far.close();
  await turns();
  assert.deepEqual(reading.results, [-ECONNRESET]);
  assert.equal(await run((op) => near.write(op, Buffer.alloc(8), 0, 8)), -EPIPE);
  assert.equal(await run((op) => near.read(op, Buffer.alloc(8), 0, 8)), 0);
});

ioTest('a reset wakes a write that waits, too', async (group) => {
  const [near, far] = await connected(group);
  const full = Buffer.alloc(8 << 20);
  const writing = new Recorded();
  let result = 0;
  while (result !== PENDING) result = near.write(writing.op, full, 0, full.length);
  far.setLinger(true, 0);
  far.close();
  await turns();
  assert.deepEqual(writing.results, [-ECONNRESET]);
});

ioTest('no close waits for a peer that reads nothing, whatever SO_LINGER says', async (group) => {
  const lingerAfter = async (
    linger: [on: boolean, seconds: number],
    end: (socket: TcpSocket) => void,
  ): Promise<readonly [boolean, number]> => {
    const [near, far] = await connected(group);
    near.setLinger(...linger);
    const fd = near.release();
    const same = dup(fd); // the kernel waits only where nobody else has it: here it doesn't
    near.assign(fd);
    end(near);
    const { on, seconds } = getLinger(same);
    close(same);
    far.close();
    return [on, seconds];
  };
  const ends: Record<string, (socket: TcpSocket) => void> = {
    close: (socket) => socket.close(),
    'the end of its owner': (socket) => new OwnedFd(socket.release(), group).close(),
    'a file': (socket) => {
      const file = new RandomAccessFile(group);
      file.assign(socket.release());
      file.close();
    },
    'a message that nobody wants': (socket) => closeAll([socket.release()]),
  };
  for (const [name, end] of Object.entries(ends)) {
    assert.deepEqual((await lingerAfter([true, 3600], end))[0], false, name);
    assert.deepEqual((await lingerAfter([true, -1], end))[0], false, `${name}: for ever`);
    assert.deepEqual(await lingerAfter([true, 0], end), [true, 0], `${name}: a reset is one still`);
  }
});

ioTest(
  'a socket of ours that lingers is closed at once, and what was written arrives',
  async (group) => {
    const [near, far] = await connected(group);
    near.setLinger(true, 5);
    const data = Buffer.alloc(3_000_000, 'to the last byte ');
    let written = 0;
    for (let result = 0; ; written += result) {
      const { op } = new Recorded();
      result = near.write(op, data, written, data.length - written);
      if (result === PENDING) op.cancel();
      if (result <= 0) break;
    }
    assert.ok(written > 0);
    const same = dup((near as NativeTcpSocket).number);
    near.close();
    assert.equal(getLinger(same).on, false);
    close(same);
    const received = await readAll(far, written + 1);
    assert.ok(received.equals(data.subarray(0, written)));
  },
);

ioTest('half a connection closed, the other half goes on', async (group) => {
  const [near, far] = await connected(group);
  await writeAll(near, Buffer.from('last words'));
  near.shutdown('send');
  assert.equal((await readAll(far, 100)).toString(), 'last words');
  assert.equal(await run((op) => far.read(op, Buffer.alloc(1), 0, 1)), 0);
  await writeAll(far, Buffer.from('answer'));
  assert.equal((await readAll(near, 6)).toString(), 'answer');
  assert.equal(await run((op) => near.write(op, Buffer.alloc(1), 0, 1)), -EPIPE);
  far.close();
  assert.equal(await run((op) => near.read(op, Buffer.alloc(1), 0, 1)), 0);
});

ioTest('bytes and the end that arrive together are read apart', async (group) => {
  for (const wait of [false, true]) {
    const [near, far] = await connected(group);
    const bytes = Buffer.alloc(100);
    const reading = run((op) => far.read(op, bytes, 0, 100));
    if (!wait) await turns();
    await writeAll(near, Buffer.from('abc'));
    near.close();
    assert.equal(await reading, 3);
    assert.equal(await run((op) => far.read(op, bytes, 0, 100)), 0);
    assert.equal(await run((op) => far.read(op, bytes, 0, 100)), 0);
  }
});

ioTest('a read that stops at urgent data goes on behind it', async (group) => {
  const [near, far] = await connected(group);
  const bytes = Buffer.alloc(100);
  const urgent = run((op) => far.wait(op, 'error'));
  const reading = run((op) => far.read(op, bytes, 0, 100));
  assert.equal(await run((op) => near.write(op, Buffer.from('abc'), 0, 3)), 3);
  assert.equal(await reading, 3);
  // all of it is there before the next read: it stops at the mark
  assert.equal(await run((op) => near.write(op, Buffer.from('def'), 0, 3)), 3);
  assert.equal(await run((op) => near.send(op, Buffer.from('!'), 0, 1, MSG_OOB)), 1);
  assert.equal(await run((op) => near.write(op, Buffer.from('ghi'), 0, 3)), 3);
  assert.equal(await urgent, 0);
  assert.equal(await run((op) => far.read(op, bytes, 0, 100)), 3);
  assert.equal(far.atMark, true);
  assert.equal(await run((op) => far.receive(op, bytes, 50, 1, MSG_OOB)), 1);
  assert.equal(String.fromCharCode(bytes[50]!), '!');
  assert.equal(await run((op) => far.read(op, bytes, 0, 100)), 3);
  assert.equal(bytes.toString('latin1', 0, 3), 'ghi');
  assert.equal(far.atMark, false);
});

ioTest('peeking leaves the bytes where they are', async (group) => {
  const [near, far] = await connected(group);
  const bytes = Buffer.alloc(10);
  const peeking = run((op) => far.receive(op, bytes, 0, 10, MSG_PEEK));
  await writeAll(near, Buffer.from('abc'));
  assert.equal(await peeking, 3);
  assert.equal(await run((op) => far.receive(op, bytes, 0, 10, MSG_PEEK)), 3);
  assert.equal(far.bytesReadable(), 3);
  assert.equal(await run((op) => far.read(op, bytes, 0, 2)), 2);
  assert.equal(await run((op) => far.read(op, bytes, 0, 10)), 1);
  assert.equal(far.bytesReadable(), 0);
});

ioTest('short reads are followed by all that comes later', async (group) => {
  const [near, far] = await connected(group);
  const bytes = Buffer.alloc(1000);
  for (let i = 1; i < 200; i++) {
    const reading = run((op) => far.read(op, bytes, 0, 1000));
    await writeAll(near, Buffer.alloc(i, 'x'));
    assert.equal(await reading, i);
  }
});

ioTest('disconnect dissolves, and the peer is reset', async (group) => {
  const [near, far] = await connected(group);
  const reading = run((op) => far.read(op, Buffer.alloc(1), 0, 1));
  near.disconnect();
  assert.equal(await reading, -ECONNRESET);
  assert.throws(() => near.remoteEndpoint(), throwsErrno(ENOTCONN));
  assert.throws(() => near.shutdown('both'), throwsErrno(ENOTCONN));
});

ioTest('release and assign hand a connection on', async (group) => {
  const [near, far] = await connected(group);
  const reading = new Recorded();
  near.read(reading.op, Buffer.alloc(1), 0, 1);
  const fd = near.release();
  assert.deepEqual(reading.results, [-ECANCELED]);
  const other = nativeBackend.tcpSocket(group);
  other.assign(fd);
  assert.throws(() => other.assign(fd), throwsErrno(EALREADY));
  await writeAll(other, Buffer.from('still here'));
  assert.equal((await readAll(far, 10)).toString(), 'still here');
  assert.equal(near.isOpen, false);
});

ioTest('an address in use, and one that is not ours', (group) => {
  const acceptor = listening(group);
  const other = nativeBackend.tcpAcceptor(group);
  other.open(4);
  assert.throws(
    () => other.bind(loopback4, acceptor.localEndpoint().port),
    throwsErrno(errnoNumber('EADDRINUSE')!),
  );
  assert.throws(
    () => other.bind(parseAddress('192.0.2.1')!, 0),
    throwsErrno(errnoNumber('EADDRNOTAVAIL')!),
  );
});

ioTest('a fault at any point of an echo is a result, never a hang', async (group) => {
  for (const errno of [ECONNRESET, errnoNumber('ENOBUFS')!, EPIPE]) {
    for (const call of ['read', 'write']) {
      for (let skip = 0; skip < 4; skip++) {
        const [near, far] = await connected(group);
        injectFault(call, { errno, skip });
        const results: number[] = [];
        for (let i = 0; i < 2; i++) {
          results.push(await run((op) => near.write(op, Buffer.from('x'), 0, 1)));
          if (results.at(-1)! < 0) break;
          results.push(await run((op) => far.read(op, Buffer.alloc(8), 0, 8)));
          if (results.at(-1)! < 0) break;
        }
        clearFault(call);
        assert.ok(results.every((result) => result === 1 || result === -errno));
        near.close();
        far.close();
      }
    }
  }
});

ioTest('megabytes survive random EAGAIN, EINTR and short transfers', async (group) => {
  const [near, far] = await connected(group);
  const data = Buffer.alloc(1_000_000, 'The quick brown fox jumps over the lazy dog. ');
  const faults = [{ errno: 11 }, { errno: 4 }, { limit: 1 }, { limit: 77 }];
  const disturb = setInterval(() => {
    for (const call of ['read', 'write']) {
      const fault = faults[Math.floor(Math.random() * faults.length)]!;
      injectFault(call, { ...fault, skip: Math.floor(Math.random() * 3), times: 2 });
    }
  }, 0);
  const [received] = await Promise.all([readAll(far, data.length, 5000), writeAll(near, data)]);
  clearInterval(disturb);
  clearFault('read');
  clearFault('write');
  assert.ok(received.equals(data));
});

ioTest('hundreds of connections, each echoed once, then all closed at once', async (group) => {
  const COUNT = 400;
  const acceptor = listening(group);
  const { port } = acceptor.localEndpoint();
  const sockets: TcpSocket[] = []; // one that is collected is closed
  const ends: number[] = [];
  const serving = (async () => {
    for (let i = 0; i < COUNT; i++) {
      const socket = await accept(acceptor);
      sockets.push(socket);
      void (async () => {
        const bytes = Buffer.alloc(64);
        const result = await run((op) => socket.read(op, bytes, 0, 64));
        await run((op) => socket.write(op, bytes, 0, result));
        ends.push(await run((op) => socket.read(op, bytes, 0, 64)));
      })();
    }
  })();
  const echoes = Array.from({ length: COUNT }, async (_, i) => {
    const socket = nativeBackend.tcpSocket(group);
    sockets.push(socket);
    assert.equal(await run((op) => socket.connect(op, loopback4, port)), 0);
    await writeAll(socket, Buffer.from(`message ${i}`));
    return (await readAll(socket, `message ${i}`.length)).toString();
  });
  assert.deepEqual(
    await Promise.all(echoes),
    Array.from({ length: COUNT }, (_, i) => `message ${i}`),
  );
  await serving;
  assert.equal(group.size, 2 * COUNT + 1);
  group.closeAll();
  await turns();
  assert.ok(sockets.every((socket) => !socket.isOpen));
  assert.deepEqual(ends, Array(COUNT).fill(-ECANCELED));
});

ioTest('sockets that were accepted and never taken are closed with the group', async (group) => {
  const acceptor = listening(group);
  const near = nativeBackend.tcpSocket(group);
  const op = new Operation(() => {});
  assert.equal(acceptor.accept(op), PENDING);
  await run((connecting) => near.connect(connecting, loopback4, acceptor.localEndpoint().port));
  await turns();
  assert.ok((op.value as TcpSocket).isOpen);
});

/**
 * Datagrams that are received ahead (io/datagrams.ts): whoever asks gets what a call for each would have given,
 * in that order, whatever is done to the socket meanwhile.
 */
import assert from 'node:assert/strict';
import { parseAddress } from '../../src/io/address.ts';
import { nativeBackend } from '../../src/io/backend.ts';
import { receivedAhead } from '../../src/io/datagrams.ts';
import type { IpEndpoint } from '../../src/io/endpoint.ts';
import type { IoGroup } from '../../src/io/group.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import type { UdpSocket } from '../../src/io/transport.ts';
import { EAGAIN, ECANCELED, ENOSYS } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { dup } from '../../src/sys/fd.ts';
import { MSG_OOB, MSG_PEEK } from '../../src/sys/socket.ts';
import { ioTest, loopback4, loopback6, Recorded, run, turns } from './support.ts';

const ECONNREFUSED = 111;
const any6 = parseAddress('::')!;
/** More than come at once. */
const MANY = 50;

function bound(group: IoGroup, address = loopback4): UdpSocket {
  const socket = nativeBackend.udpSocket(group);
  socket.open(address.family);
  if (address.family === 6) socket.setOption('v6_only', 0);
  socket.bind(address, 0);
  return socket;
}

/** Starts what must not wait. */
function now(start: (op: Operation) => number): { result: number; value: unknown } {
  const op = new Operation(() => assert.fail('it waited'));
  const result = start(op);
  assert.notEqual(result, PENDING);
  return { result, value: op.value };
}

function send(from: UdpSocket, to: UdpSocket, bytes: Uint8Array, address = loopback4): void {
  const { port } = to.localEndpoint();
  const { result } = now((op) => from.sendTo(op, bytes, 0, bytes.length, address, port, 0));
  assert.equal(result, bytes.length);
}

/** A datagram whose text tells its number. */
const numbered = (number: number, length = 8): Buffer =>
  Buffer.alloc(length, String(number).padStart(8, '0'));

interface Datagram {
  readonly bytes: Buffer;
  readonly from: IpEndpoint;
}

/** One that is here. */
function next(socket: UdpSocket, room = 64, flags = 0): Datagram {
  const bytes = Buffer.alloc(room);
  const { result, value } = now((op) => socket.receiveFrom(op, bytes, 0, room, flags));
  assert.ok(result >= 0, `receiveFrom gave ${result}`);
  return { bytes: bytes.subarray(0, result), from: value as IpEndpoint };
}

/** Sockets of which the second has received some of what the first has sent: the rest, or a part of it, is ahead. */
function begun(group: IoGroup, count = MANY, taken = 10): [UdpSocket, UdpSocket] {
  const [near, far] = [bound(group), bound(group)];
  for (let i = 0; i < count; i++) send(near, far, numbered(i));
  const before = receivedAhead();
  for (let i = 0; i < taken; i++) assert.deepEqual(next(far).bytes, numbered(i));
  assert.ok(receivedAhead() > before, 'nothing was received ahead');
  return [near, far];
}

/** Nothing is there; and what comes then is told. */
async function empty(near: UdpSocket, far: UdpSocket): Promise<void> {
  const bytes = Buffer.alloc(64);
  const waiting = run((op) => {
    const result = far.receiveFrom(op, bytes, 0, 64, 0);
    assert.equal(result, PENDING);
    return result;
  });
  await turns(2);
  send(near, far, numbered(77_777));
  assert.equal(await waiting, 8);
  assert.deepEqual(bytes.subarray(0, 8), numbered(77_777));
}

ioTest('all come, in order, and then one waits', async (group) => {
  const [near, far] = begun(group);
  for (let i = 10; i < MANY; i++) assert.deepEqual(next(far).bytes, numbered(i));
  await empty(near, far);
});

ioTest(
  'bursts of all sizes, with waits between: none is lost and no event missed',
  async (group) => {
    const [near, far] = begun(group);
    for (let i = 10; i < MANY; i++) next(far);
    const op = new Recorded();
    const bytes = Buffer.alloc(64);
    for (let round = 0; round < 80; round++) {
      const size = [1, 2, 31, 32, 33, 40, 64][round % 7]!;
      const waits = far.receiveFrom(op.op, bytes, 0, 64, 0);
      assert.equal(waits, PENDING, `round ${round}: something was left`);
      for (let i = 0; i < size; i++) send(near, far, numbered(i));
      for (let k = 0; op.results.length === 0; k++) {
        assert.ok(k < 1000, `round ${round}: no event`);
        await turns(1);
      }
      assert.deepEqual(op.results.splice(0), [8]);
      assert.deepEqual(bytes.subarray(0, 8), numbered(0));
      for (let i = 1; i < size; i++) assert.deepEqual(next(far).bytes, numbered(i));
    }
  },
);

ioTest('each has its sender and its size, of both families', async (group) => {
  const far = bound(group, any6);
  const near = [bound(group), bound(group, loopback6), bound(group), bound(group, loopback6)];
  const sent: { port: number; length: number; mapped: boolean }[] = [];
  for (let i = 0; i < MANY; i++) {
    const from = near[i % 4]!;
    const mapped = i % 2 === 0;
    const length = [8, 0, 1, 127, 128, 129, 1400, 9000][i % 8]!;
    send(from, far, numbered(i, length), mapped ? loopback4 : loopback6);
    sent.push({ port: from.localEndpoint().port, length, mapped });
  }
  const before = receivedAhead();
  for (const [i, { port, length, mapped }] of sent.entries()) {
    const { bytes, from } = next(far, 9000);
    assert.deepEqual(bytes, numbered(i, length), `number ${i}`);
    assert.equal(from.port, port);
    assert.deepEqual(
      Buffer.from(from.address.bytes).toString('hex'),
      mapped ? '00000000000000000000ffff7f000001' : Buffer.from(loopback6.bytes).toString('hex'),
    );
  }
  assert.ok(receivedAhead() > before);
});

ioTest('the largest ones are whole', (group) => {
  const [near, far] = [bound(group), bound(group)];
  far.setOption('receive_buffer_size', 4 << 20);
  let there = 0;
  for (; there < 8; there++) send(near, far, numbered(there, 65_507));
  const before = receivedAhead();
  for (let i = 0; i < there; i++) {
    if (far.bytesReadable() === 0) break; // the kernel had no room for more: rmem_max
    assert.deepEqual(next(far, 65_536).bytes, numbered(i, 65_507));
  }
  if (receivedAhead() === before) return; // so few
  assert.equal(far.bytesReadable(), 0);
});

ioTest(
  'those that the buffer can’t take are cut, and the next one begins at its begin',
  (group) => {
    const [near, far] = [bound(group), bound(group)];
    for (let i = 0; i < MANY; i++) send(near, far, numbered(i, 200));
    const guarded = Buffer.alloc(300, 'x');
    for (let i = 0; i < MANY; i++) {
      const room = [5, 0, 200, 130, 199][i % 5]!;
      const { result } = now((op) => far.receiveFrom(op, guarded, 50, room, 0));
      assert.equal(result, Math.min(room, 200));
      assert.deepEqual(guarded.subarray(50, 50 + room), numbered(i, 200).subarray(0, room));
      assert.equal(guarded.toString('latin1', 50 + room), 'x'.repeat(250 - room));
      assert.equal(guarded.toString('latin1', 0, 50), 'x'.repeat(50));
      guarded.fill('x');
    }
  },
);

ioTest(
  'peeks, sizes and waits tell of them; recv(2) has other flags that UDP ignores',
  async (group) => {
    const [near, far] = begun(group, 20, 6);
    for (let i = 6; i < 20; i++) {
      assert.equal(far.bytesReadable(), 8);
      assert.equal(now((op) => far.wait(op, 'read')).result, 0);
      assert.deepEqual(next(far, 64, MSG_PEEK).bytes, numbered(i));
      assert.deepEqual(next(far, 3, MSG_PEEK).bytes, numbered(i).subarray(0, 3));
      const into = Buffer.alloc(8);
      assert.equal(now((op) => far.receive(op, into, 0, 8, i % 2 === 0 ? MSG_OOB : 0)).result, 8);
      assert.deepEqual(into, numbered(i));
    }
    assert.equal(far.bytesReadable(), 0);
    const waits = new Recorded();
    assert.equal(far.wait(waits.op, 'read'), PENDING);
    send(near, far, numbered(1));
    while (waits.results.length === 0) await turns(1);
    assert.deepEqual(next(far).bytes, numbered(1));
  },
);

ioTest('those who wait get them in the order in which they came', async (group) => {
  const [near, far] = begun(group);
  for (let i = 10; i < MANY; i++) next(far);
  const order: string[] = [];
  const last = new Recorded();
  const lastBytes = Buffer.alloc(8);
  let late = 0;
  const into = Array.from({ length: 12 }, () => Buffer.alloc(8));
  const waiting = into.map((bytes, i) => {
    const op = new Operation(() => {
      order.push(`${i}: ${bytes}`);
      if (i === 0) late = far.receiveFrom(last.op, lastBytes, 0, 8, 0); // not before the others
    });
    assert.equal(far.receiveFrom(op, bytes, 0, 8, 0), PENDING);
    return op;
  });
  waiting[3]!.cancel();
  assert.deepEqual(order.splice(0).length, 1);
  for (let i = 0; i < 20; i++) send(near, far, numbered(i));
  for (let k = 0; order.length < 11 && k < 1000; k++) await turns(1);
  const expected = waiting.map((_, i) => i).filter((i) => i !== 3);
  assert.deepEqual(
    order,
    expected.map((reader, i) => `${reader}: ${numbered(i)}`),
  );
  assert.equal(late, PENDING);
  assert.deepEqual(last.results, [8]);
  assert.deepEqual(lastBytes, numbered(11));
  for (let i = 12; i < 20; i++) assert.deepEqual(next(far).bytes, numbered(i));
  await empty(near, far);
});

ioTest('cancelled while some are ahead: none is lost', async (group) => {
  const [near, far] = begun(group);
  far.cancel();
  for (let i = 10; i < MANY; i++) {
    far.cancel();
    assert.deepEqual(next(far).bytes, numbered(i));
  }
  const waits = new Recorded();
  assert.equal(far.receiveFrom(waits.op, Buffer.alloc(8), 0, 8, 0), PENDING);
  for (let i = 0; i < 20; i++) send(near, far, numbered(i));
  waits.op.cancel(); // before the event
  assert.deepEqual(waits.results, [-ECANCELED]);
  await turns(3);
  for (let i = 0; i < 20; i++) assert.deepEqual(next(far).bytes, numbered(i));
  await empty(near, far);
});

ioTest('an interruption from within the turn of another reader loses none', async (group) => {
  const [near, far] = begun(group);
  for (let i = 10; i < MANY; i++) next(far);
  const got: string[] = [];
  const [one, two] = [Buffer.alloc(8), Buffer.alloc(8)];
  const second = new Operation((result) => got.push(`second ${result}`));
  const first = new Operation(() => {
    got.push(`first ${one}`);
    second.cancel(); // others are ahead now
  });
  far.receiveFrom(first, one, 0, 8, 0);
  far.receiveFrom(second, two, 0, 8, 0);
  for (let i = 0; i < 20; i++) send(near, far, numbered(i));
  for (let k = 0; got.length < 2 && k < 1000; k++) await turns(1);
  assert.deepEqual(got, [`first ${numbered(0)}`, `second ${-ECANCELED}`]);
  for (let i = 1; i < 20; i++) assert.deepEqual(next(far).bytes, numbered(i));
  await empty(near, far);
});

ioTest('an error of the peer (ICMP) comes once, beside all datagrams', async (group) => {
  const [near, far] = [bound(group), bound(group)];
  assert.equal(far.connect(loopback4, near.localEndpoint().port), 0);
  for (let i = 0; i < 20; i++) send(near, far, numbered(i));
  for (let i = 0; i < 6; i++) assert.deepEqual(next(far).bytes, numbered(i));
  near.close();
  const word = Buffer.from('x');
  assert.equal(now((op) => far.send(op, word, 0, 1, 0)).result, 1);
  const results: (number | string)[] = [];
  const bytes = Buffer.alloc(8);
  const waits = new Recorded();
  for (let k = 0; k < 100; k++) {
    const result = far.receive(waits.op, bytes, 0, 8, 0);
    if (result === PENDING) break;
    results.push(result < 0 ? result : bytes.toString());
  }
  await turns(3);
  results.push(...waits.results);
  waits.op.cancel();
  const datagrams = Array.from({ length: 14 }, (_, i) => numbered(i + 6).toString());
  assert.deepEqual(
    results.filter((result) => result !== -ECONNREFUSED),
    datagrams,
  );
  assert.equal(results.filter((result) => result === -ECONNREFUSED).length, 1);
});

ioTest('a call that fails loses none', async (group) => {
  const [near, far] = begun(group, 40, 10);
  const all: Buffer[] = [];
  for (const error of [EAGAIN, ECONNREFUSED, ENOSYS]) {
    for (let i = 0; i < 40; i++) send(near, far, numbered(i));
    injectFault('recvfrom', { errno: error });
    let failed = 0;
    for (let k = 0; all.length < (error === EAGAIN ? 70 : 40) && k < 1000; k++) {
      const bytes = Buffer.alloc(8);
      const op = new Recorded();
      let result = far.receiveFrom(op.op, bytes, 0, 8, 0);
      if (result === PENDING) {
        for (let turn = 0; op.results.length === 0 && turn < 1000; turn++) await turns(1);
        result = op.results[0]!;
      }
      if (result === -ECONNREFUSED) failed++;
      else all.push(bytes);
    }
    clearFault('recvfrom');
    const old = error === EAGAIN ? Array.from({ length: 30 }, (_, i) => numbered(i + 10)) : [];
    const fresh = Array.from({ length: 40 }, (_, i) => numbered(i));
    assert.deepEqual(all.splice(0), [...old, ...fresh]);
    assert.equal(failed, error === ECONNREFUSED ? 1 : 0);
  }
  await empty(near, far);
});

ioTest('more sockets than buffers, closed while some are ahead, again and again', (group) => {
  for (let round = 0; round < 3; round++) {
    const pairs = Array.from({ length: 20 }, () => {
      const [near, far] = [bound(group), bound(group)];
      for (let i = 0; i < 20; i++) send(near, far, numbered(i));
      return { near, far };
    });
    const before = receivedAhead();
    for (let i = 0; i < 10; i++) {
      for (const { far } of pairs) assert.deepEqual(next(far).bytes, numbered(i));
    }
    assert.ok(receivedAhead() > before, `round ${round}`);
    for (const { near, far } of pairs) {
      near.close();
      far.close();
    }
  }
});

ioTest('nothing is received ahead from a socket that others have, too', (group) => {
  const [near, mine] = [bound(group), bound(group)];
  const port = mine.localEndpoint().port;
  const other = dup((mine as unknown as { number: number }).number);
  const far = nativeBackend.udpSocket(group);
  mine.close();
  far.assign(other);
  assert.equal(far.localEndpoint().port, port);
  for (let i = 0; i < 20; i++) send(near, far, numbered(i));
  for (let i = 0; i < 10; i++) assert.deepEqual(next(far).bytes, numbered(i));
  const heir = nativeBackend.udpSocket(group);
  heir.assign(far.release());
  for (let i = 10; i < 20; i++) assert.deepEqual(next(heir).bytes, numbered(i));
});

ioTest('each has its own sender, though addresses are kept for the next', (group) => {
  const [a, b, far] = [bound(group), bound(group), bound(group)];
  for (let i = 0; i < 6; i++) send(i % 3 === 0 ? b : a, far, numbered(i));
  for (let i = 0; i < 6; i++) {
    const { from } = next(far);
    assert.equal(from.port, (i % 3 === 0 ? b : a).localEndpoint().port);
    assert.deepEqual([...from.address.bytes], [127, 0, 0, 1]);
  }
  for (let i = 0; i < 6; i++) {
    const to = i % 3 === 0 ? b : a;
    send(far, to, numbered(i));
    assert.deepEqual(next(to).bytes, numbered(i));
  }
});

ioTest(
  'a scope that a program sets is of that address alone, and of what is sent then',
  (group) => {
    const [near, far] = [bound(group, loopback6), bound(group, loopback6)];
    for (let i = 0; i < 2; i++) send(near, far, numbered(i), loopback6);
    const { address } = next(far).from;
    address.scopeId = 0x7fffffff;
    assert.equal(next(far).from.address.scopeId, 0);
    const to = parseAddress('fe80::1')!;
    const { port } = near.localEndpoint();
    const tried = [1, 0x7fffffff].map((scope) => {
      to.scopeId = scope;
      return now((op) => near.sendTo(op, numbered(0), 0, 8, to, port, 0)).result;
    });
    assert.ok(tried[1]! < 0, 'it was sent through an interface that there is not');
  },
);

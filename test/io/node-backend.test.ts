import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { IoGroup } from '../../src/io/group.ts';
import { nodeBackend } from '../../src/io/node-backend.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import type { TcpSocket } from '../../src/io/transport.ts';
import {
  EBADF,
  ECANCELED,
  EINVAL,
  ENOSYS,
  EOPNOTSUPP,
  errnoNumber,
  SysError,
} from '../../src/sys/errno.ts';
import {
  accept,
  listening,
  loopback4,
  loopback6,
  Recorded,
  readAll,
  run,
  turns,
  writeAll,
} from './support.ts';

const throwsErrno = (errno: number) => (error: unknown) =>
  error instanceof SysError && error.errno === errno;

function nodeTest(name: string, body: (group: IoGroup) => Promise<void> | void): void {
  test(name, { timeout: 300_000 }, async () => {
    const group = new IoGroup();
    try {
      await body(group);
    } finally {
      group.closeAll();
    }
    assert.equal(group.size, 0);
  });
}

async function connected(group: IoGroup, address = loopback4): Promise<[TcpSocket, TcpSocket]> {
  const acceptor = listening(group, address, nodeBackend);
  const near = nodeBackend.tcpSocket(group);
  const accepting = accept(acceptor);
  assert.equal(await run((op) => near.connect(op, address, acceptor.localEndpoint().port)), 0);
  const far = await accepting;
  acceptor.close();
  return [near, far];
}

for (const address of [loopback4, loopback6]) {
  nodeTest(`a connection carries bytes both ways: IPv${address.family}`, async (group) => {
    const [near, far] = await connected(group, address);
    await writeAll(near, Buffer.from('ping'));
    assert.equal((await readAll(far, 4)).toString(), 'ping');
    await writeAll(far, Buffer.from('pong'));
    assert.equal((await readAll(near, 4, 1)).toString(), 'pong');
    assert.deepEqual(near.localEndpoint(), far.remoteEndpoint());
    assert.deepEqual(near.remoteEndpoint(), far.localEndpoint());
    far.close();
    assert.equal(await run((op) => near.read(op, Buffer.alloc(4), 0, 4)), 0);
  });
}

nodeTest('megabytes go through whole, in both directions at once', async (group) => {
  const [near, far] = await connected(group);
  const data = Buffer.alloc(2_000_000);
  for (let i = 0; i < data.length; i++) data[i] = (i * 7) ^ (i >> 8);
  const [a, b] = await Promise.all([
    readAll(far, data.length),
    readAll(near, data.length, 1000),
    writeAll(near, data),
    writeAll(far, data),
  ]);
  assert.ok(a.equals(data) && b.equals(data));
});

nodeTest('half a connection closed, the other half goes on', async (group) => {
  const [near, far] = await connected(group);
  await writeAll(near, Buffer.from('last words'));
  near.shutdown('send');
  assert.equal((await readAll(far, 100)).toString(), 'last words');
  await writeAll(far, Buffer.from('answer'));
  assert.equal((await readAll(near, 6)).toString(), 'answer');
});

nodeTest('cancel and close in every state complete once', async (group) => {
  const [near] = await connected(group);
  const acceptor = listening(group, loopback4, nodeBackend);
  const ops = [new Recorded(), new Recorded(), new Recorded(), new Recorded(), new Recorded()];
  assert.equal(near.read(ops[0]!.op, Buffer.alloc(1), 0, 1), PENDING);
  assert.equal(near.read(ops[1]!.op, Buffer.alloc(1), 0, 1), PENDING);
  assert.equal(acceptor.accept(ops[2]!.op), PENDING);
  assert.equal(acceptor.accept(ops[3]!.op), PENDING);
  const other = nodeBackend.tcpSocket(group);
  assert.equal(other.connect(ops[4]!.op, loopback4, acceptor.localEndpoint().port), PENDING);
  ops[0]!.op.cancel();
  near.close();
  near.close();
  ops[2]!.op.cancel();
  acceptor.close();
  ops[4]!.op.cancel();
  await turns();
  for (const { results } of ops) assert.deepEqual(results, [-ECANCELED]);
  assert.equal(near.read(ops[0]!.op, Buffer.alloc(1), 0, 1), -EBADF);
});

nodeTest('failures have the numbers of system calls', async (group) => {
  const acceptor = listening(group, loopback4, nodeBackend);
  const { port } = acceptor.localEndpoint();
  const second = nodeBackend.tcpAcceptor(group);
  second.open(4);
  assert.throws(() => second.bind(loopback4, port), throwsErrno(errnoNumber('EADDRINUSE')!));
  assert.equal(second.accept(new Operation(() => {})), -EINVAL);
  acceptor.close();
  await turns();
  const socket = nodeBackend.tcpSocket(group);
  assert.equal(
    await run((op) => socket.connect(op, loopback4, port)),
    -errnoNumber('ECONNREFUSED')!,
  );
  const again = listening(group, loopback4, nodeBackend);
  assert.equal(await run((op) => socket.connect(op, loopback4, again.localEndpoint().port)), 0);
});

nodeTest('what Node has no way to do says ENOSYS', async (group) => {
  const [near] = await connected(group);
  const { op } = new Recorded();
  assert.equal(near.wait(op, 'read'), -ENOSYS);
  assert.equal(near.receive(op, Buffer.alloc(1), 0, 1, 2), -ENOSYS);
  for (const call of [
    () => near.assign(3),
    () => near.release(),
    () => near.disconnect(),
    () => near.setLinger(true, 0),
    () => near.setOption('debug', 1),
    () => nodeBackend.standardStream(0).dup(),
  ]) {
    assert.throws(call, throwsErrno(ENOSYS), String(call));
  }
  near.setOption('tcp_no_delay', 1);
  assert.equal(near.getOption('tcp_no_delay'), 1);
  assert.throws(() => near.setOption('no_such', 1), throwsErrno(EOPNOTSUPP));
});

test('standard streams copy, through pipes and files', () => {
  const program = join(import.meta.dirname, 'programs/copy.ts');
  const line = `cat "$file" | ${process.execPath} ${program} node | cat`;
  const run = spawnSync('sh', ['-c', `${line}; ${process.execPath} ${program} node < "$file"`], {
    env: { ...process.env, file: import.meta.filename },
    encoding: 'utf8',
    timeout: 300_000,
  });
  const size = run.stdout.length / 2;
  assert.equal(run.stderr, `${size} 0\n${size} 0\n`);
  assert.equal(run.stdout.slice(0, size), run.stdout.slice(size));
});

test('idle sockets and cancelled reads do not keep the process alive', () => {
  const io = new URL('../../src/io/', import.meta.url).href;
  const program = `
    const { nodeBackend } = await import('${io}node-backend.ts');
    const { IoGroup } = await import('${io}group.ts');
    const { Operation } = await import('${io}operation.ts');
    const { parseAddress } = await import('${io}address.ts');
    const group = new IoGroup();
    const address = parseAddress('127.0.0.1');
    const acceptor = nodeBackend.tcpAcceptor(group);
    acceptor.open(4);
    acceptor.bind(address, 0);
    acceptor.listen(5);
    const socket = nodeBackend.tcpSocket(group);
    const accepting = new Operation(() => {
      const op = new Operation(() => console.log('done'));
      socket.read(op, new Uint8Array(1), 0, 1);
      setTimeout(() => op.cancel(), 10);
    });
    acceptor.accept(accepting);
    socket.connect(new Operation(() => {}), address, acceptor.localEndpoint().port);
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.equal(child.stdout + child.stderr, 'done\n');
  assert.equal(child.status, 0);
});

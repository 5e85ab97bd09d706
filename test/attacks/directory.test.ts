/**
 * The broker of directories, attacked by one that has the socket of a handle and sends what it likes: what it can keep
 * busy, what it can make the host hold, and where names lead while somebody changes the tree.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, mock } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '../../src/actors/test-schedule.ts';
import { Asking } from '../../src/io/directory-client.ts';
import {
  CREATE,
  DIRECTORY,
  decodeAnswer,
  decodeFacts,
  decodeList,
  encodeAnswer,
  encodeFacts,
  encodeQuestion,
  LIST,
  MAX_ANSWER,
  OPEN,
  type Question,
  STAT,
  WRITE_ONLY,
} from '../../src/io/directory-protocol.ts';
import { shareDirectory } from '../../src/io/directory-server.ts';
import { IoGroup } from '../../src/io/group.ts';
import { Operation } from '../../src/io/operation.ts';
import { EAGAIN } from '../../src/sys/errno.ts';
import { close, dup } from '../../src/sys/fd.ts';
import { nativeFailure } from '../../src/sys/native.ts';
import { getLinger, MSG_DONTWAIT, SOCK_SEQPACKET, shutdown } from '../../src/sys/socket.ts';
import {
  PACKET_FD_COUNT,
  PACKET_FDS,
  receivePacket,
  sendmsgUnix,
  socketpair,
} from '../../src/sys/unix.ts';
import { connected } from '../io/support.ts';
import { openReactor } from '../support/faulty.ts';

const skip = nativeFailure() ?? false;
if (skip === false) await openReactor();

const folder = mkdtempSync(join(tmpdir(), 'perilune-beneath-'));
const root = join(folder, 'root');
mkdirSync(join(root, 'sub'), { recursive: true });
writeFileSync(join(root, 'a'), 'inside');
writeFileSync(join(folder, 'secret'), 'secret');
after(() => rmSync(folder, { recursive: true }));

const fdCount = (): number => readdirSync('/proc/self/fd').length;
const plain: Question = { what: OPEN, flags: 0, mode: 0, resolve: 0, cookie: [0, 0], path: 'a' };
const ask = (more: Partial<Question> = {}): Uint8Array => encodeQuestion({ ...plain, ...more });

/** @returns what sendmsg(2) says */
const send = (handle: number, bytes: Uint8Array, ...fds: number[]): number =>
  sendmsgUnix(handle, bytes, 0, bytes.length, MSG_DONTWAIT, undefined, Int32Array.from(fds));

interface Got {
  readonly result: number;
  readonly fd: number;
  readonly body: Uint8Array;
}

/** What has come; undefined: nothing. */
function receive(socket: number): Got | undefined {
  const bytes = new Uint8Array(MAX_ANSWER + 1);
  const out = new Int32Array(PACKET_FDS + 2);
  const length = receivePacket(socket, bytes, out);
  if (length === -EAGAIN) return undefined;
  assert.ok(length > 0, `${length}`);
  const answer = decodeAnswer(bytes, length, out[PACKET_FD_COUNT]!)!;
  return {
    result: answer.result,
    body: answer.body,
    fd: out[PACKET_FD_COUNT]! ? out[PACKET_FDS]! : -1,
  };
}

async function question(handle: number, more: Partial<Question> = {}): Promise<Got> {
  const [near, far] = socketpair(SOCK_SEQPACKET);
  const sent = send(handle, ask(more), far);
  close(far);
  try {
    assert.ok(sent > 0, `${sent}`);
    for (;;) {
      const got = receive(near);
      if (got !== undefined) return got;
      await nextTurn();
    }
  } finally {
    close(near);
  }
}

/** @returns where the answers will be */
function askTimes(count: number, handle: number): number[] {
  return Array.from({ length: count }, () => {
    const [near, far] = socketpair(SOCK_SEQPACKET);
    assert.ok(send(handle, ask(), far) > 0);
    close(far);
    return near;
  });
}

const isClosed = (handle: number): boolean => send(handle, ask()) === -32; // EPIPE

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; !holds(); i++) {
    assert.ok(i < 20_000, 'it never happens');
    await sleep(10);
  }
}

/** What is left open afterwards is an error, and so is a server that goes on. */
function attack(name: string, body: (handle: number, group: IoGroup) => Promise<void>): void {
  test(name, { skip, timeout: 300_000 }, async () => {
    const before = fdCount();
    const group = new IoGroup();
    const directory = openSync(root, 'r');
    const handle = shareDirectory(directory, { reads: true, writes: true }, group);
    closeSync(directory);
    try {
      await body(handle, group);
    } finally {
      close(handle);
    }
    await until(() => group.size === 0);
    await until(() => fdCount() <= before);
  });
}

attack(
  'more descriptors than 64 are not on their way, however many are asked for',
  async (handle) => {
    const before = fdCount();
    const sockets = askTimes(100, handle);
    for (let i = 0; i < 200; i++) await nextTurn();
    // The near ends, and the host's of 64 answers.
    assert.equal(fdCount(), before + 100 + 64);
    let opened = 0;
    for (const near of sockets) {
      let got = receive(near);
      for (; got === undefined; got = receive(near)) {
        assert.ok(opened >= 64);
        await nextTurn();
      }
      close(got.fd);
      opened++;
      close(near);
    }
    assert.equal(opened, 100);
  },
);

attack(
  'nor do they stop counting when the socket is shut down, and not received',
  async (handle) => {
    const before = fdCount();
    const sockets = askTimes(80, handle);
    for (let i = 0; i < 100; i++) await nextTurn();
    for (const near of sockets.slice(0, 64)) shutdown(near, 2);
    for (let i = 0; i < 100; i++) await nextTurn();
    assert.equal(fdCount(), before + 80 + 64);
    for (const near of sockets) close(near);
  },
);

attack('a flood: others have their turns, and the sender waits', async (handle) => {
  const [near, far] = socketpair(SOCK_SEQPACKET);
  let sent = 0;
  const flood = (): void => {
    while (send(handle, ask({ what: STAT }), far) > 0) sent++;
  };
  let turns = 0;
  for (; turns < 300; turns++) {
    flood(); // the kernel stops it
    await nextTurn();
    while (receive(near) !== undefined) {}
  }
  assert.ok(sent > 300);
  assert.ok(sent < 300 * 16 + 2000, `${sent}`); // no more than its share
  close(near);
  close(far);
});

attack('what is no question closes the handle', async (handle, group) => {
  const random = randomFrom(42);
  const good = ask({ path: 'sub/../a' });
  for (let i = 0; i < 300; i++) {
    const directory = openSync(root, 'r');
    const one = shareDirectory(directory, { reads: true, writes: false }, group);
    closeSync(directory);
    const bytes = good.slice(0, Math.floor(random() * (good.length + 1)));
    for (let n = 0; n < 3 && bytes.length > 0; n++)
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const [near, far] = socketpair(SOCK_SEQPACKET);
    const fds = [far, far, near].slice(0, Math.floor(random() * 4));
    if (bytes.length > 0) send(one, bytes, ...fds);
    close(far);
    await nextTurn();
    await nextTurn();
    close(near);
    close(one);
  }
  // No socket to answer to, two of them, something else than a socket.
  const [near, far] = socketpair(SOCK_SEQPACKET);
  const other = openSync('/dev/null', 'r');
  for (const fds of [[], [near, far], [other]]) {
    const directory = openSync(root, 'r');
    const one = shareDirectory(directory, { reads: true, writes: false }, group);
    closeSync(directory);
    assert.ok(send(one, ask(), ...fds) > 0);
    await until(() => isClosed(one));
    close(one);
  }
  for (const fd of [near, far, other]) close(fd);
  assert.ok(!isClosed(handle));
});

attack(
  'a handle as the place to answer to: it is closed, as by any other nonsense',
  async (handle) => {
    const own = dup(handle);
    assert.ok(send(handle, ask(), own) > 0);
    close(own);
    await until(() => isClosed(handle));
  },
);

test('what waits in the socket for an answer keeps nobody waiting', { skip }, async () => {
  const before = fdCount();
  const group = new IoGroup();
  // Answered with a descriptor, which is fetched or not, or without one; no question; nobody has looked at it yet.
  const questions = [ask(), ask(), ask({ path: 'none' }), Uint8Array.of(1), ask()];
  for (const [i, bytes] of questions.entries()) {
    const [socket, peer] = await connected(group);
    socket.setLinger(true, 3600);
    const lingers = socket.release();
    const same = dup(lingers); // the kernel waits only where nobody else has it: here it doesn't
    const directory = openSync(root, 'r');
    const handle = shareDirectory(directory, { reads: true, writes: false }, group);
    closeSync(directory);
    const [near, far] = socketpair(SOCK_SEQPACKET);
    send(near, new Uint8Array(0));
    send(near, new Uint8Array(1), lingers);
    assert.ok(send(handle, bytes, far) > 0);
    close(far);
    if (i < 4) for (let turn = 0; turn < 10; turn++) await nextTurn();
    const got = i === 0 ? receive(near)! : undefined;
    if (got !== undefined) close(got.fd);
    close(near);
    close(handle);
    group.closeAll();
    assert.equal(getLinger(same).on, false, `${i}`);
    close(lingers);
    close(same);
    peer.close();
  }
  await until(() => fdCount() <= before);
});

attack('sockets to answer to that lead into each other', async (handle) => {
  for (let i = 0; i < 20; i++) {
    const [one, two] = socketpair(SOCK_SEQPACKET);
    send(handle, ask(), one);
    send(handle, ask(), two);
    close(one);
    close(two);
  }
  for (let i = 0; i < 50; i++) await nextTurn();
});

test('what nobody fetches is given up, and its place with it', {
  skip,
  timeout: 300_000,
}, async () => {
  const before = fdCount();
  mock.timers.enable({ apis: ['setInterval'] });
  const clock = mock.method(performance, 'now');
  const group = new IoGroup();
  const directory = openSync(root, 'r');
  const handle = shareDirectory(directory, { reads: true, writes: false }, group);
  closeSync(directory);
  try {
    const [near, far] = socketpair(SOCK_SEQPACKET);
    for (let i = 0; i < 63; i++) send(handle, ask(), far);
    close(far);
    for (let i = 0; i < 50; i++) await nextTurn();
    const late = performance.now() + 61_000;
    clock.mock.mockImplementation(() => late);
    mock.timers.tick(1000);
    // One place of 64 is left.
    assert.equal((await question(handle)).result, 0);
    assert.ok(receive(near)!.fd >= 0); // it was sent before
    close(near);
    // The last one, too: then it is closed.
    const [other, end] = socketpair(SOCK_SEQPACKET);
    send(handle, ask(), end);
    close(end);
    for (let i = 0; i < 50; i++) await nextTurn();
    clock.mock.mockImplementation(() => late + 61_000);
    mock.timers.tick(1000);
    assert.ok(isClosed(handle));
    assert.equal(group.size, 0);
    close(other);
  } finally {
    mock.timers.reset();
    mock.restoreAll();
    close(handle);
    group.closeAll();
  }
  assert.ok(fdCount() <= before + 2); // those that this test was given, and has not closed
});

attack('directories that are opened are counted, too', async (handle) => {
  const handles: number[] = [];
  for (;;) {
    const { result, fd } = await question(handle, { path: 'sub', flags: DIRECTORY });
    if (fd < 0) {
      assert.equal(result, -24); // EMFILE
      break;
    }
    handles.push(fd);
  }
  assert.equal(handles.length, 63);
  // What is sent is no directory: it can only be asked through.
  assert.equal((await question(handles[0]!, { path: '../a' })).result, -18); // EXDEV
  assert.equal((await question(handle, { what: STAT, path: 'sub' })).result, 0);
  for (const fd of handles) close(fd);
});

attack(
  'a directory of many files comes in pieces; a place in it that never was is an error at worst',
  async (handle) => {
    const many = join(root, 'many');
    mkdirSync(many);
    for (let i = 0; i < 3000; i++) writeFileSync(join(many, `file-${i}`), '');
    let cookie: Question['cookie'] = [0, 0];
    const names = new Set<string>();
    let pieces = 0;
    for (; ; pieces++) {
      const { body } = await question(handle, { what: LIST, path: 'many', cookie });
      if (body.length === 0) break;
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      for (let at = 0; at < body.length; at += view.getUint16(at + 16, true)) {
        names.add(
          Buffer.from(body.subarray(at + 19))
            .toString('latin1')
            .split('\0')[0]!,
        );
        cookie = [view.getInt32(at + 12, true), view.getInt32(at + 8, true)];
      }
    }
    assert.equal(names.size, 3002);
    assert.ok(pieces > 3);
    for (const wild of [
      [-1, -1],
      [0x7fffffff, -1],
      [0, 12345],
      [-(2 ** 31), 0],
    ] as const) {
      const { result } = await question(handle, { what: LIST, path: 'many', cookie: wild });
      assert.ok(result >= 0 || result === -22, `${result}`);
    }
    rmSync(many, { recursive: true });
  },
);

test('who answers may be hostile, too', { skip }, () => {
  const before = fdCount();
  const group = new IoGroup();
  const said = (bytes: Uint8Array, ...fds: number[]): [number, unknown] => {
    const asking = new Asking(group);
    send(asking.answerTo, bytes, ...fds);
    asking.isSent();
    const op = new Operation(() => assert.fail('it has come already'));
    const result = asking.receive(op);
    asking.close();
    return [result, op.value];
  };
  const other = openSync('/dev/null', 'r');
  const EPIPE = -32;
  // An answer that looks as if it had to be waited for.
  for (const errno of [-11, -4])
    assert.deepEqual(said(encodeAnswer(errno, 'nothing')), [
      0,
      { result: errno, carries: 'nothing', body: new Uint8Array(0), fd: -1 },
    ]);
  assert.equal(said(encodeAnswer(0, 'directory'), other)[0], EPIPE); // no socket
  assert.equal(said(encodeAnswer(0, 'nothing'), other)[0], EPIPE);
  assert.equal(said(encodeAnswer(0, 'descriptor'))[0], EPIPE);
  assert.equal(said(encodeAnswer(0, 'descriptor'), other, other)[0], EPIPE);
  assert.deepEqual(said(encodeAnswer(-1, 'descriptor'), other)[1], {
    result: -1,
    carries: 'descriptor',
    body: new Uint8Array(0),
    fd: -1,
  });
  assert.equal(said(new Uint8Array(1))[0], EPIPE);
  closeSync(other);
  assert.equal(group.size, 0);
  assert.equal(fdCount(), before);
});

test('lists and facts that are none', () => {
  const random = randomFrom(7);
  for (let i = 0; i < 20_000; i++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 60) }, () =>
      random() < 0.5 ? Math.floor(random() * 30) : 0,
    );
    const entries = decodeList(bytes);
    for (const { name, kind } of entries ?? []) assert.ok(name.length < 60 && kind < 256);
  }
  assert.deepEqual(decodeList(new Uint8Array(0)), []);
  assert.equal(decodeList(new Uint8Array(24)), undefined); // a record of no length
  const facts = { mode: 0o100644, links: 1, size: 5, modified: 1, modifiedNs: 2 };
  assert.deepEqual(decodeFacts(encodeFacts(facts)), facts);
  for (const wrong of [
    { modified: NaN },
    { modified: Infinity },
    { size: -1 },
    { modifiedNs: 1e9 },
    { mode: 0.5 },
  ])
    assert.equal(decodeFacts(encodeFacts({ ...facts, ...wrong })), undefined);
  assert.equal(decodeFacts(new Uint8Array(39)), undefined);
});

/** A process that changes the tree all the time. */
function changer(code: string): ChildProcess {
  const script = `const fs = require('fs'); process.chdir(${JSON.stringify(root)}); console.log('ready'); for (;;) { ${code} }`;
  return spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function whileChanging(code: string, body: () => Promise<void>): Promise<void> {
  const child = changer(code);
  try {
    await new Promise((ready) => child.stdout!.once('data', ready));
    await body();
  } finally {
    child.kill('SIGKILL');
    await new Promise((ended) => child.once('exit', ended));
  }
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(100);
  const length = readSync(fd, bytes, 0, 100, 0);
  close(fd);
  return bytes.toString('latin1', 0, length);
}

attack('a directory that becomes a link out of it, and back, all the time', async (handle) => {
  mkdirSync(join(root, 'real'));
  writeFileSync(join(root, 'real', 'secret'), 'inside');
  symlinkSync('..', join(root, 'link'));
  const swap = `try { fs.renameSync('real', 'x'); fs.renameSync('link', 'real'); fs.renameSync('real', 'link'); fs.renameSync('x', 'real'); } catch {}`;
  const results = new Map<string, number>();
  await whileChanging(swap, async () => {
    for (let i = 0; i < 1500; i++) {
      const { result, fd } = await question(handle, { path: 'real/secret' });
      const what = fd >= 0 ? contentOf(fd) : `${result}`;
      results.set(what, (results.get(what) ?? 0) + 1);
      const made = await question(handle, {
        path: 'real/made',
        flags: WRITE_ONLY | CREATE,
        mode: 0o600,
      });
      if (made.fd >= 0) close(made.fd);
    }
  });
  assert.equal(results.get('secret'), undefined);
  assert.ok((results.get('inside') ?? 0) > 0);
  assert.ok(!readdirSync(folder).includes('made'));
  for (const name of ['real', 'link', 'x'])
    rmSync(join(root, name), { recursive: true, force: true });
});

attack('a file that becomes a pipe, which would wait for ever, and back', async (handle) => {
  const wait = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);';
  const make = `try { fs.writeFileSync('g', 'file'); fs.renameSync('g', 'f'); ${wait}
    require('child_process').execFileSync('mkfifo', ['g']); fs.renameSync('g', 'f'); ${wait} } catch {}`;
  let files = 0;
  let pipes = 0;
  await whileChanging(make, async () => {
    for (let i = 0; i < 1500 || (i < 20_000 && (files === 0 || pipes === 0)); i++) {
      for (const flags of [0, WRITE_ONLY]) {
        const { result, fd } = await question(handle, { path: 'f', flags });
        if (fd < 0) assert.ok([-2, -1, -6].includes(result), `${result}`); // ENOENT, EPERM, ENXIO
        if (result === -1) pipes++;
        if (fd < 0) continue;
        files++;
        close(fd);
      }
    }
  });
  assert.ok(files > 0 && pipes > 0);
  rmSync(join(root, 'f'), { force: true });
});

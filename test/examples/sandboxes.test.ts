/** The recipes of docs/tutorial-sandboxes.md: each does what it promises, and what it keeps from happening doesn't. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { noSandboxes } from '../support/sandboxes.ts';
import { Client, example, startServer } from './support.ts';

const options = { skip: noSandboxes() ?? false, timeout: 600_000 };

const folder = mkdtempSync(join(tmpdir(), 'perilune-recipes-'));
after(() => rmSync(folder, { recursive: true }));

const perilune = join(import.meta.dirname, '../../bin/perilune');

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** As users have it: the bundle, which starts in a tenth of the time. */
async function run(name: string, ...args: string[]): Promise<Outcome> {
  const child = spawn(perilune, [example(name), '--', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString('latin1');
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString('latin1');
  });
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  return { stdout, stderr, code };
}

test('image_sizes.lua', options, async () => {
  const dir = join(folder, 'images');
  mkdirSync(dir);
  const files: Record<string, string> = {
    'a.png': '89504e470d0a1a0a0000000d494844520000028000000' + '1e00802000000',
    'b.gif': '474946383961' + '4001' + 'c800' + '000000',
    'c.jpg':
      'ffd8ffe00010' + '4a46494600'.padEnd(28, '0') + 'ffc00011080300' + '0400' + '00'.repeat(12),
    'cut.jpg': 'ffd8ffe0',
    'loop.jpg': 'ffd8ffe00000',
    'text.txt': '68656c6c6f',
  };
  for (const [name, hex] of Object.entries(files))
    writeFileSync(join(dir, name), Buffer.from(hex, 'hex'));
  const { stdout, stderr } = await run('image_sizes.lua', dir);
  assert.equal(stderr, '');
  assert.equal(
    stdout,
    'a.png: 640 x 480\nb.gif: 320 x 200\nc.jpg: 1024 x 768\ncut.jpg: no image\nloop.jpg: no image\ntext.txt: no image\n',
  );
});

async function download(answer: RequestListener, name: string): Promise<Outcome> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    return await run('download.lua', `http://127.0.0.1:${port}/x`, join(folder, name));
  } finally {
    server.close();
  }
}

test(
  'download.lua: the file is there when all of it has come, and not before',
  options,
  async () => {
    const text = 'line\n'.repeat(50_000);
    const whole = await download((_, response) => response.end(text), 'whole');
    assert.deepEqual([whole.stderr, whole.code], ['', 0]);
    assert.match(whole.stdout, /: 250000 bytes$/m);
    assert.equal(readFileSync(join(folder, 'whole'), 'latin1'), text);
    const cut = await download((request) => {
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this');
    }, 'cut');
    assert.deepEqual([cut.stderr, cut.code], ['download: 9 of 100 bytes have come\n', 1]);
    const missing = await download((_, response) => response.writeHead(404).end(), 'missing');
    assert.equal(missing.stderr, 'download: the server says 404\n');
    const nonsense = await download((request) => {
      request.socket.end('\x1b[31m\r\n\r\n');
    }, 'nonsense');
    assert.equal(nonsense.stderr, 'download: that is no HTTP\n');
    assert.deepEqual(
      readdirSync(folder).filter((name) => /cut|missing|nonsense|part/.test(name)),
      [],
    );
  },
);

test(
  'confine.lua: the machine can be read and not changed; no network, no other processes',
  options,
  async () => {
    const mine = join(folder, 'mine');
    writeFileSync(mine, 'mine');
    const script = `
    id -u
    echo x > ${mine} || echo 'not written'
    rm -f /etc/passwd 2>/dev/null || echo 'not removed'
    echo kept > /tmp/own && cat /tmp/own
    grep -c : /proc/net/dev
    ls /proc | grep -c '^[0-9]'
    kill -0 ${process.pid} 2>/dev/null || echo 'not signalled'
    mount -t tmpfs none /mnt 2>/dev/null || echo 'not mounted'
    unshare -U true 2>/dev/null || echo 'not unshared'
    exit 7`;
    const { stdout, code } = await run('confine.lua', 'sh', '-c', script);
    const lines = stdout.split('\n');
    assert.deepEqual(
      [lines.slice(0, 4), lines.slice(6)],
      [
        ['1000', 'not written', 'not removed', 'kept'],
        ['not signalled', 'not mounted', 'not unshared', ''],
      ],
    );
    assert.equal(lines[4], '1'); // lo
    assert.ok(Number(lines[5]) < 6, stdout);
    assert.equal(code, 7);
    assert.equal(readFileSync(mine, 'utf8'), 'mine');
    assert.ok(!existsSync('/tmp/own'));
    const none = await run('confine.lua', 'perilune-no-such-program');
    assert.deepEqual(
      [none.stderr, none.code],
      ['perilune-no-such-program: not found, or no program\n', 127],
    );
  },
);

test(
  'file_server.lua: each connection in a process of its own, that sees what its user may',
  options,
  async () => {
    const root = join(folder, 'homes');
    mkdirSync(join(root, 'ann', 'd'), { recursive: true });
    mkdirSync(join(root, 'bob'));
    writeFileSync(join(root, 'passwords'), 'ann secret\nbob other\n');
    writeFileSync(join(root, 'ann', 'note'), 'for ann');
    writeFileSync(join(root, 'bob', 'note'), 'for bob');
    const server = await startServer('file_server.lua', ['0', root]);
    try {
      const ann = new Client(server.port);
      const bob = new Client(server.port);
      ann.send('cat note\n');
      await ann.expect('log in first\n');
      ann.send('login ann other\n');
      await ann.expect('no\n');
      ann.send('login ann secret\nls\ncat note\nput new some text\n');
      bob.send('login bob other\ncat note\ncat ../ann/note\n');
      await ann.expect('welcome\nd/ note\nfor ann\nwritten\n');
      await bob.expect('welcome\nfor bob\nInvalid cross-device link\n');
      assert.equal(readFileSync(join(root, 'ann', 'new'), 'utf8'), 'some text\n');
      ann.send('cat ../passwords\nfoo\nquit\n');
      await ann.expect('Invalid cross-device link\nno such command\n');
      // Who guesses is sent away, and the others stay.
      const guesser = new Client(server.port);
      for (let i = 0; i < 5; i++) guesser.send('login bob guess\n');
      await guesser.closed();
      bob.send('ls\n');
      await bob.expect('note\n');
      bob.send('quit\n');
    } finally {
      await server.stop();
    }
  },
);

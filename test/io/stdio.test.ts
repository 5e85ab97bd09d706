import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EBADF, EPIPE, errnoNumber } from '../../src/sys/errno.ts';
import { nativeFailure } from '../../src/sys/native.ts';

const skip = nativeFailure() ?? false;
const program = (name: string) => join(import.meta.dirname, 'programs', name);
const node = process.execPath;
const folder = mkdtempSync(join(tmpdir(), 'perilune-stdio-'));
after(() => rmSync(folder, { recursive: true }));

const data = Buffer.alloc(1_000_003);
for (let i = 0; i < data.length; i++) data[i] = (i * 31) ^ (i >> 7);
const file = join(folder, 'data');
writeFileSync(file, data);
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Run a shell line in which `$copy` is the program. */
function shell(line: string): SpawnSyncReturns<string> {
  return spawnSync('sh', ['-c', line], {
    encoding: 'latin1',
    timeout: 300_000,
    maxBuffer: 1 << 24,
    env: {
      ...process.env,
      copy: `${node} ${program('copy.ts')}`,
      flags: `${node} ${program('flags.ts')}`,
      file,
      folder,
    },
  });
}

const COMPLETE = `${data.length} 0\n`;

test('regular files on both sides', { skip }, () => {
  const { stderr } = shell('$copy < $file > $folder/out');
  assert.equal(stderr, COMPLETE);
  assert.ok(readFileSync(join(folder, 'out')).equals(data));
});

test('appending to a file, from the position of the input', { skip }, () => {
  const { stderr } = shell(
    `echo start > $folder/out; { head -c 1000 > /dev/null; $copy; } < $file >> $folder/out`,
  );
  const rest = data.length - 1000;
  assert.equal(stderr, `${rest} 0\n`);
  const out = readFileSync(join(folder, 'out'));
  assert.equal(out.toString('latin1', 0, 6), 'start\n');
  assert.ok(out.subarray(6).equals(data.subarray(1000)));
});

test('pipes on both sides', { skip }, () => {
  const { stderr, stdout } = shell('cat $file | $copy | cat');
  assert.equal(stderr, COMPLETE);
  assert.equal(digest(Buffer.from(stdout, 'latin1')), digest(data));
});

test('sockets on both sides: what Node gives its children', { skip }, async () => {
  const child = spawn(node, [program('copy.ts')], { stdio: 'pipe' });
  child.stdin.end(data);
  const [out, error] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => {
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part as Buffer);
      return Buffer.concat(parts);
    }),
  );
  assert.equal(error!.toString(), COMPLETE);
  assert.ok(out!.equals(data));
});

test('an empty input, and /dev/null on both sides', { skip }, () => {
  assert.equal(shell('$copy < /dev/null').stderr, '0 0\n');
  assert.equal(shell('true | $copy').stderr, '0 0\n');
  assert.equal(shell('$copy < $file > /dev/null').stderr, COMPLETE);
});

test('a slow writer is waited for', { skip }, () => {
  const { stderr, stdout } = shell('{ echo a; sleep 0.2; echo b; } | $copy');
  assert.equal(stdout, 'a\nb\n');
  assert.equal(stderr, '4 0\n');
});

test('a reader that goes away gives EPIPE, and no signal', { skip }, () => {
  const { stderr } = shell('{ $copy; echo "code $?" >&2; } < $file | head -c 10 > /dev/null');
  assert.match(stderr, new RegExp(`^\\d+ -${EPIPE}\ncode 0\n$`));
});

test('a full device, a directory, and closed descriptors are results', { skip }, () => {
  assert.equal(shell('echo x | $copy > /dev/full').stderr, `0 -${errnoNumber('ENOSPC')!}\n`);
  assert.equal(shell('$copy < /').stderr, `0 -${errnoNumber('EISDIR')!}\n`);
  // Node opens /dev/null in place of closed ones
  assert.equal(shell('$copy <&-').stderr, '0 0\n');
  assert.match(shell('echo x | $copy >&-').stderr, new RegExp(`^(2 0|0 -${EBADF})\n$`));
  assert.equal(shell('exec 3> $folder/out; $copy <&3').stderr, `0 -${EBADF}\n`);
});

test('pipes that we share with others stay as they are', { skip }, () => {
  const { stdout } = shell(
    'mkfifo $folder/gate; cat $folder/gate | { $flags; : > $folder/gate; } | cat',
  );
  assert.equal(stdout, '-\n0 0 true\n');
});

test('a terminal stays as it is, and lines come as they are typed', { skip }, (t) => {
  if (spawnSync('script', ['--version']).error) {
    t.skip('script(1) is not installed');
    return;
  }
  // The shell's own descriptor of the terminal is the same open file.
  const line = [
    `stty -echo; $flags`,
    'read answer; echo "shell got $answer"',
    `$copy 2> ${join(folder, 'report')}`,
  ].join('; ');
  const run = spawnSync(
    'sh',
    ['-c', `{ sleep 1; echo one; sleep 1; echo two; } | script -qec '${line}' /dev/null`],
    {
      encoding: 'latin1',
      timeout: 300_000,
      env: {
        ...process.env,
        copy: `${node} ${program('copy.ts')}`,
        flags: `${node} ${program('flags.ts')}`,
        SHELL: '/bin/sh',
      },
    },
  );
  const lines = run.stdout.split(/\r?\n/);
  assert.ok(lines.includes('0 0 true'), run.stdout);
  assert.ok(lines.includes('shell got one'), run.stdout);
  assert.ok(lines.includes('two'), run.stdout);
});

test('what cannot be opened anew is non-blocking only until exit', { skip }, () => {
  // The master side of a pseudo terminal: opening it again would make another terminal.
  const { stdout } = shell(
    'exec 3<> /dev/ptmx; $flags <&3; grep flags /proc/self/fdinfo/3; echo $?',
  );
  const [, during, flags] = stdout.split('\n');
  assert.equal(during, `${0o4000} 0 true`);
  assert.equal(Number.parseInt(/flags:\s*(\d+)/.exec(flags!)![1]!, 8) & 0o4000, 0);
});

test('a cancelled read takes nothing', { skip }, async () => {
  const io = new URL('../../src/io/', import.meta.url).href;
  const source = `
    const { backend } = await import('${io}backend.ts');
    const { Operation } = await import('${io}operation.ts');
    const input = backend().standardStream(0);
    const bytes = Buffer.alloc(10);
    const op = new Operation((result) => console.log('first', result));
    input.read(op, bytes, 0, 10);
    op.cancel();
    console.log('cancelled');
    const again = new Operation((result) => console.log(bytes.toString('latin1', 0, result)));
    input.read(again, bytes, 0, 10);
  `;
  const child = spawn(node, ['--input-type=module', '-e', source]);
  let out = '';
  for await (const part of child.stdout) {
    out += part;
    if (out.includes('cancelled')) child.stdin.end('hello');
  }
  assert.equal(out, 'first -125\ncancelled\nhello\n');
});

test('reads of a file are served in order, from the pool too', { skip }, () => {
  const io = new URL('../../src/io/', import.meta.url).href;
  const source = `
    const { backend } = await import('${io}backend.ts');
    const { Operation, PENDING } = await import('${io}operation.ts');
    const { injectFault } = await import('${io}../sys/fault.ts');
    const input = backend().standardStream(0);
    const log = [];
    injectFault('preadv2', { errno: 11 });
    let parts = 3;
    for (let i = 0; i < 3; i++) {
      const bytes = Buffer.alloc(2);
      const op = new Operation((result) => {
        log.push(i + ':' + result + bytes);
        if (--parts === 0) console.log(log.join(' '));
      });
      if (input.read(op, bytes, 0, 2) !== PENDING) throw new Error('not in the pool');
      op.cancel(); // too late for a read that moves the position
    }
  `;
  writeFileSync(join(folder, 'letters'), 'aabbcc');
  const fd = openSync(join(folder, 'letters'), 'r');
  const child = spawnSync(node, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
    stdio: [fd, 'pipe', 'pipe'],
  });
  closeSync(fd);
  assert.equal(child.stderr, '');
  assert.equal(child.stdout, '0:2aa 1:2bb 2:2cc\n');
});

/** A cache whose entries nobody but the user has written: what is read back, and what is refused. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { contentName, PrivateCache } from '../../src/io/private-cache.ts';
import { EIO, errnoNumber } from '../../src/sys/errno.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** A folder for caches. Afterwards no descriptor is left. */
function base(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-cache-'));
  const before = descriptors();
  t.after(() => {
    rmSync(folder, { recursive: true });
    assert.equal(descriptors(), before);
  });
  return folder;
}

function using<T>(folder: string, use: (cache: PrivateCache) => T): T {
  const cache = PrivateCache.open(folder);
  assert.ok(cache, 'there is a cache');
  try {
    return use(cache);
  } finally {
    cache.close();
  }
}

const put = (folder: string, name: string, ...parts: string[]): void =>
  using(folder, (cache) => cache.write(name, parts.map(bytes)));
const get = (folder: string, name: string): string[] | undefined =>
  using(folder, (cache) => cache.read(name)?.map((part) => part.toString('latin1')));
const isRefused = (folder: string): void => assert.equal(PrivateCache.open(folder), undefined);

test('what was written is read, by name, in parts, in a later process', (t) => {
  const folder = base(t);
  assert.equal(get(folder, 'a'), undefined);
  put(folder, 'a', 'one', '', '\xff\0three');
  put(folder, 'b');
  assert.deepEqual(get(folder, 'a'), ['one', '', '\xff\0three']);
  assert.deepEqual(get(folder, 'b'), []);
  put(folder, 'a', 'other');
  assert.deepEqual(get(folder, 'a'), ['other']);
  assert.deepEqual(readdirSync(join(folder, 'perilune')).sort(), ['a', 'b', 'key']);
  assert.equal(statSync(join(folder, 'perilune')).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder, 'perilune/key')).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'perilune/a')).mode & 0o777, 0o600);
});

test('a name for content: where one string ends and the next begins is a part of it', () => {
  assert.notEqual(contentName(['ab', 'c']), contentName(['a', 'bc']));
  assert.notEqual(contentName(['a']), contentName(['a', '']));
  assert.equal(contentName(['a', '\xff']), contentName(['a', '\xff']));
});

test('a bit that was flipped anywhere: no entry, and the file is gone', (t) => {
  const folder = base(t);
  const file = join(folder, 'perilune/a');
  put(folder, 'a', 'one', 'two');
  const whole = readFileSync(file);
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 1 << (at % 8);
    writeFileSync(file, damaged, { mode: 0o600 });
    assert.equal(get(folder, 'a'), undefined, `byte ${at}`);
    assert.ok(!existsSync(file));
  }
  put(folder, 'a', 'one', 'two');
  assert.deepEqual(get(folder, 'a'), ['one', 'two']);
});

test('an entry that was cut, or that goes on: none', (t) => {
  const folder = base(t);
  const file = join(folder, 'perilune/a');
  put(folder, 'a', 'one', 'two');
  const whole = readFileSync(file);
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(file, whole, { mode: 0o600 });
    truncateSync(file, length);
    assert.equal(get(folder, 'a'), undefined, `${length} bytes`);
  }
  writeFileSync(file, Buffer.concat([whole, bytes('x')]), { mode: 0o600 });
  assert.equal(get(folder, 'a'), undefined);
});

test("an entry under another's name, or from another cache: none", (t) => {
  const folder = base(t);
  const inside = join(folder, 'perilune');
  put(folder, 'a', 'one');
  put(folder, 'b', 'two');
  renameSync(join(inside, 'a'), join(inside, 'x'));
  renameSync(join(inside, 'b'), join(inside, 'a'));
  renameSync(join(inside, 'x'), join(inside, 'b'));
  assert.equal(get(folder, 'a'), undefined);
  assert.equal(get(folder, 'b'), undefined);
  const other = base(t);
  put(other, 'a', 'evil');
  copyFileSync(join(other, 'perilune/a'), join(inside, 'a'));
  assert.equal(get(folder, 'a'), undefined);
});

test('links, FIFOs and folders in place of an entry: none, and nobody waits', (t) => {
  const folder = base(t);
  const inside = join(folder, 'perilune');
  put(folder, 'a', 'one');
  renameSync(join(inside, 'a'), join(folder, 'outside'));
  symlinkSync('../outside', join(inside, 'a'));
  assert.equal(get(folder, 'a'), undefined);
  put(folder, 'a', 'two'); // the link is replaced, what it led to is not
  assert.deepEqual(get(folder, 'a'), ['two']);
  assert.match(readFileSync(join(folder, 'outside'), 'latin1'), /one$/);
  mkdirSync(join(inside, 'c'));
  assert.equal(get(folder, 'c'), undefined);
  put(folder, 'c', 'three');
  assert.equal(get(folder, 'c'), undefined);
  for (const name of ['../outside', '/etc/passwd', '.', '']) {
    assert.equal(get(folder, name), undefined, name);
  }
  // An entry that has a second name is as good: both are the user's.
  linkSync(join(inside, 'a'), join(folder, 'second'));
  assert.deepEqual(get(folder, 'a'), ['two']);
});

test('a folder that others may write to, or that is a link: no cache', (t) => {
  const folder = base(t);
  const inside = join(folder, 'perilune');
  for (const mode of [0o1777, 0o777, 0o770, 0o722, 0o702]) {
    chmodSync(folder, mode);
    isRefused(folder);
    assert.ok(!existsSync(inside));
  }
  chmodSync(folder, 0o755);
  put(folder, 'a', 'one');
  for (const mode of [0o777, 0o770, 0o702, 0o720]) {
    chmodSync(inside, mode);
    isRefused(folder);
  }
  chmodSync(inside, 0o755);
  assert.deepEqual(get(folder, 'a'), ['one']);
  chmodSync(join(inside, 'a'), 0o666);
  assert.equal(get(folder, 'a'), undefined);

  renameSync(inside, join(folder, 'elsewhere'));
  symlinkSync('elsewhere', inside);
  isRefused(folder);
  rmSync(inside);
  writeFileSync(inside, 'no folder');
  isRefused(folder);
  assert.equal(readFileSync(inside, 'latin1'), 'no folder');
});

test("the user's folder may be behind a link; where only it is missing, it is made", (t) => {
  const folder = base(t);
  symlinkSync(folder, `${folder}-link`);
  t.after(() => rmSync(`${folder}-link`));
  put(`${folder}-link`, 'a', 'one');
  assert.deepEqual(get(folder, 'a'), ['one']);
  put(join(folder, 'new'), 'a', 'two');
  assert.equal(statSync(join(folder, 'new')).mode & 0o777, 0o700);
  isRefused(join(folder, 'missing/new'));
  assert.ok(!existsSync(join(folder, 'missing')));
});

test("what belongs to somebody else is not the user's", (t) => {
  if (process.getuid!() !== 0) return t.skip('only root can give files away');
  const folder = base(t);
  const inside = join(folder, 'perilune');
  chownSync(folder, 12345, 12345);
  isRefused(folder); // HOME of another
  chownSync(folder, 0, 0);
  put(folder, 'a', 'one');
  chownSync(inside, 12345, 12345);
  isRefused(folder);
  chownSync(inside, 0, 0);
  chownSync(join(inside, 'key'), 12345, 12345);
  assert.equal(get(folder, 'a'), undefined);
  put(folder, 'a', 'one');
  chownSync(join(inside, 'a'), 12345, 12345);
  assert.equal(get(folder, 'a'), undefined);
});

test('a key that others could see, or that is none, is replaced, and what it signed is refused', (t) => {
  const folder = base(t);
  const key = join(folder, 'perilune/key');
  const spoil: [string, () => void][] = [
    ['readable by others', () => chmodSync(key, 0o644)],
    ['too short', () => truncateSync(key, 31)],
    ['empty', () => truncateSync(key, 0)],
    [
      'a link',
      () => {
        renameSync(key, join(folder, 'key'));
        symlinkSync('../key', key);
      },
    ],
  ];
  for (const [what, damage] of spoil) {
    put(folder, 'a', 'one');
    damage();
    assert.equal(get(folder, 'a'), undefined, what);
    put(folder, 'a', 'two');
    assert.deepEqual(get(folder, 'a'), ['two'], what);
    assert.equal(statSync(key).mode & 0o777, 0o600);
  }
});

test('many processes write and read the same entry: each reads one of the whole ones', async (t) => {
  const folder = base(t);
  const program = `
    import { PrivateCache } from ${JSON.stringify(join(import.meta.dirname, '../../src/io/private-cache.ts'))};
    const me = process.argv[1];
    let seen = 0;
    for (let i = 0; i < 40; i++) {
      const cache = PrivateCache.open(${JSON.stringify(folder)});
      cache.write('a', [Buffer.alloc(50_000, me), Buffer.from(me)]);
      const parts = cache.read('a');
      if (parts !== undefined) {
        const letter = String(parts[1]);
        if (parts[0].length !== 50_000 || !parts[0].every((b) => b === letter.charCodeAt(0))) process.exit(3);
        seen++;
      }
      cache.close();
    }
    process.exit(seen > 0 ? 0 : 4);`;
  const children = ['x', 'y', 'z'].map((letter) =>
    spawn(process.execPath, ['--input-type=module', '-e', program, letter], { stdio: 'inherit' }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.deepEqual(codes, [0, 0, 0]);
  assert.deepEqual(readdirSync(join(folder, 'perilune')).sort(), ['a', 'key']);
});

test('the oldest entries go when there is no room; one that is too large is not written', (t) => {
  const folder = base(t);
  const inside = join(folder, 'perilune');
  const cache = PrivateCache.open(folder, { entry: 2000, all: 5000 })!;
  try {
    for (let i = 0; i < 8; i++) {
      cache.write(`e${i}`, [Buffer.alloc(900)]);
      utimesSync(join(inside, `e${i}`), 1000 + i, 1000 + i);
    }
    assert.deepEqual(readdirSync(inside).sort(), ['e3', 'e4', 'e5', 'e6', 'e7', 'key']);
    cache.write('large', [Buffer.alloc(2000)]);
    assert.ok(!existsSync(join(inside, 'large')));
    // One that is used stays.
    assert.ok(cache.read('e3'));
    cache.write('e8', [Buffer.alloc(900)]);
    assert.deepEqual(readdirSync(inside).sort(), ['e3', 'e5', 'e6', 'e7', 'e8', 'key']);
    writeFileSync(join(inside, 'old.1-2'), 'never finished');
    writeFileSync(join(inside, 'new.1-2'), 'being written');
    utimesSync(join(inside, 'old.1-2'), 1000, 1000);
    cache.write('e9', [Buffer.alloc(1)]);
    assert.ok(!existsSync(join(inside, 'old.1-2')));
    assert.ok(existsSync(join(inside, 'new.1-2')));
  } finally {
    cache.close();
  }
});

test('any call that fails: no cache or no entry, nothing half-done, no error', (t) => {
  const folder = base(t);
  const inside = join(folder, 'perilune');
  const full = errnoNumber('ENOSPC')!;
  for (const call of [
    'openat2',
    'fstatat',
    'mkdirat',
    'write',
    'read',
    'linkat',
    'renameat2',
    'unlinkat',
    'getdents64',
  ]) {
    for (let skip = 0; skip < 8; skip++) {
      rmSync(inside, { recursive: true, force: true });
      injectFault(call, { errno: call === 'write' ? full : EIO, skip });
      const first = PrivateCache.open(folder);
      first?.write('a', [bytes('one'), bytes('two')]);
      const before = first?.read('a');
      first?.close();
      clearFault(call);
      if (before !== undefined) assert.deepEqual(before.map(String), ['one', 'two']);
      const found = get(folder, 'a');
      if (found !== undefined) assert.deepEqual(found, ['one', 'two'], `${call} ${skip}`);
      if (call !== 'unlinkat') {
        const left = readdirSync(inside).filter((name) => name.includes('.'));
        assert.deepEqual(left, [], `${call} ${skip}`);
      }
      put(folder, 'a', 'three');
      assert.deepEqual(get(folder, 'a'), ['three'], `${call} ${skip}`);
    }
  }
  injectFault('write', { limit: 1, times: 1000 });
  injectFault('read', { limit: 1, times: 1000 });
  try {
    put(folder, 'a', 'written a byte', 'at a time');
    assert.deepEqual(get(folder, 'a'), ['written a byte', 'at a time']);
  } finally {
    clearFault('write');
    clearFault('read');
  }
});

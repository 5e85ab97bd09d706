/** Copies beside those of `cp -a`: contents, modes, owners, times, links, extended attributes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { PRESERVE_NOTHING, type Preserve } from '../../src/io/attributes.ts';
import { TreeCopy } from '../../src/io/tree-copy.ts';
import { clearFault, injectFault } from '../../src/sys/fault.ts';
import { fgetxattr, flistxattr, fsetxattr } from '../../src/sys/filesystem.ts';
import { native, nativeFailure } from '../../src/sys/native.ts';
import { openDescriptors } from '../support/spec.ts';

const folder = mkdtempSync(join(tmpdir(), 'perilune-copy-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const ALL: Preserve = {
  mode: true,
  owner: true,
  times: true,
  xattrs: true,
  links: true,
  lenient: true,
};

function copy(from: string, to: string, preserve: Preserve): void {
  const job = new TreeCopy(at(from), at(to), {
    existing: 'fail',
    recursive: true,
    symlinks: 'copy',
    what: 'content',
    special: 'copy',
    preserve,
    isSet: true,
    fileOnly: false,
  });
  try {
    while (!job.step());
  } finally {
    job.close();
  }
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

const setAttribute = (path: string, name: string, value: Buffer): number =>
  withFile(path, (fd) => fsetxattr(fd, name, value, value.length));

function attributes(path: string): string[] {
  return withFile(path, (fd) => {
    const names = Buffer.alloc(4096);
    const length = flistxattr(fd, names);
    const value = Buffer.alloc(65536);
    return names
      .toString('latin1', 0, Math.max(length, 0))
      .split('\0')
      .filter((name) => name !== '')
      .map((name) => `${name}=${value.toString('hex', 0, fgetxattr(fd, name, value))}`)
      .sort();
  });
}

/** All that `cp -a` keeps, but access times: reading changes those. */
function describe(root: string, name = ''): string[] {
  const path = join(root, name);
  const s = lstatSync(path, { bigint: true });
  const line = [name, s.mode.toString(8), s.uid, s.gid, s.mtimeNs, s.nlink];
  if (s.isSymbolicLink()) return [[...line, readlinkSync(path)].join(' ')];
  if (s.isFile()) {
    return [
      [...line, s.size, readFileSync(path).toString('base64'), ...attributes(path)].join(' '),
    ];
  }
  if (!s.isDirectory()) return [[...line, s.rdev].join(' ')];
  const below = readdirSync(path).sort();
  return [
    [...line, ...attributes(path)].join(' '),
    ...below.flatMap((one) => describe(root, join(name, one))),
  ];
}

const skip = nativeFailure() ?? false;

test('a copy with all attributes is what cp -a makes', { skip }, (t) => {
  const before = openDescriptors();
  mkdirSync(at('t/sub/deep'), { recursive: true });
  writeFileSync(at('t/f'), 'text', { mode: 0o640 });
  writeFileSync(at('t/sub/large'), Buffer.alloc(3_000_000, 'abc'));
  writeFileSync(at('t/sub/empty'), '', { mode: 0o4755 });
  linkSync(at('t/f'), at('t/sub/linked'));
  linkSync(at('t/f'), at('t/sub/deep/linked'));
  symlinkSync('../f', at('t/sub/link'));
  spawnSync('mkfifo', [at('t/fifo')]);
  const hasAttributes = setAttribute(at('t/f'), 'user.tide', Buffer.from('high')) === 0;
  if (hasAttributes) setAttribute(at('t/sub'), 'user.bytes', Buffer.from([0, 1, 255]));
  else t.diagnostic('this file system has no extended attributes');
  for (const name of ['t/f', 't/sub/large', 't/sub/deep', 't/sub', 't']) {
    utimesSync(at(name), 1_000_000_000.25, 1_000_000_001.123456);
  }
  copy('t', 'ours', ALL);
  assert.deepEqual(describe(at('ours')), describe(at('t')));
  const cp = spawnSync('cp', ['-a', at('t'), at('theirs')]);
  if (cp.status === 0) assert.deepEqual(describe(at('ours')), describe(at('theirs')));
  assert.deepEqual(openDescriptors(), before, 'descriptors left open');
});

test('attributes that are refused are an error, or left away on request', { skip }, (t) => {
  writeFileSync(at('a'), 'x');
  if (setAttribute(at('a'), 'user.tide', Buffer.from('high')) !== 0) {
    t.skip('this file system has no extended attributes');
    return;
  }
  try {
    injectFault('fsetxattr', { errno: 95, times: 2 });
    assert.throws(() => copy('a', 'b', { ...PRESERVE_NOTHING, xattrs: true }), /EOPNOTSUPP/);
    assert.throws(() => lstatSync(at('b')), /ENOENT/);
    copy('a', 'b', ALL);
    assert.deepEqual(attributes(at('b')), []);
  } finally {
    clearFault('fsetxattr');
  }
  copy('a', 'c', ALL);
  assert.deepEqual(attributes(at('c')), ['user.tide=68696768']);
});

test('owners that can not be given are an error, or left away with set-id bits', { skip }, () => {
  writeFileSync(at('s'), 'x', { mode: 0o755 });
  native().fchmodat(-100, at('s'), 0o6755, 0);
  const addon = native();
  const chown = addon.fchownat;
  const stat = addon.fstatat;
  // Somebody else's file, and we are not root.
  addon.fchownat = () => -1;
  addon.fstatat = (directory, path, flags, out) => {
    const result = stat(directory, path, flags, out);
    if (out[2] === lstatSync(at('s')).ino) out[5] = 12345;
    return result;
  };
  try {
    assert.throws(() => copy('s', 's1', { ...PRESERVE_NOTHING, owner: true, mode: true }), /EPERM/);
    copy('s', 's2', ALL);
    copy('s', 's3', PRESERVE_NOTHING);
  } finally {
    addon.fchownat = chown;
    addon.fstatat = stat;
  }
  assert.equal(lstatSync(at('s2')).mode & 0o7777, 0o755);
  assert.equal(lstatSync(at('s3')).mode & 0o7777, 0o2755, 'the group is the same');
  copy('s', 's4', PRESERVE_NOTHING);
  assert.equal(lstatSync(at('s4')).mode & 0o7777, 0o6755, 'both are');
});

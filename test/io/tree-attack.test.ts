/**
 * Somebody who may write into a tree puts symbolic links in place of what is in it, while it is copied or
 * removed: at every single system call, one after the other. What the links lead to must stay as it is,
 * and must not get into the copy.
 */
import assert from 'node:assert/strict';
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { PRESERVE_NOTHING } from '../../src/io/attributes.ts';
import type { CopyOptions } from '../../src/io/tree-copy.ts';
import { TreeCopy } from '../../src/io/tree-copy.ts';
import { TreeRemoval } from '../../src/io/tree-remove.ts';
import { SysError } from '../../src/sys/errno.ts';
import { native, nativeFailure } from '../../src/sys/native.ts';
import { openDescriptors } from '../support/spec.ts';

const skip = nativeFailure() ?? false;
/** Thousands of small trees are made: in memory, where there is such a folder. */
const base = isWritable('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(join(base, 'perilune-attack-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Calls that take a name. */
const CALLS = [
  'openat2',
  'fstatat',
  'getdents64',
  'mkdirat',
  'mknodat',
  'unlinkat',
  'linkat',
  'symlinkat',
  'readlinkat',
  'fchmodat',
  'fchownat',
  'utimensat',
  'fchmod',
  'read',
  'write',
] as const;

/** Run `attack` in front of the call with this number. @returns how many calls there were */
function withAttack(number: number, attack: () => void, run: () => void): number {
  const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>;
  const originals = CALLS.map((name) => [name, addon[name]!] as const);
  let count = 0;
  for (const [name, call] of originals) {
    addon[name] = (...args) => {
      if (count++ === number) attack();
      return call(...args);
    };
  }
  try {
    run();
  } finally {
    for (const [name, call] of originals) addon[name] = call;
  }
  return count;
}

function plant(root: string, ...files: string[]): void {
  for (const file of files) {
    mkdirSync(join(at(root), file, '..'), { recursive: true });
    writeFileSync(join(at(root), file), `text of ${file}`);
  }
}

const SECRET = 'what nobody shall see or touch';

function prepare(): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(at('outside/a/b'), { recursive: true });
  for (const name of ['f', 'a/f', 'a/b/f', 'g', 'a/g', 'a/b/g'])
    writeFileSync(at(`outside/${name}`), SECRET);
  plant('from', 'f', 'a/f', 'a/b/f', 'z/f', 'a/g');
  linkSync(at('from/a/f'), at('from/z/linked'));
  symlinkSync('f', at('from/a/s'));
}

/** All that is below a folder, with texts. Node's own recursion would follow links. */
function listing(root: string): string {
  return readdirSync(at(root), { withFileTypes: true })
    .map((entry) => {
      const path = join(root, entry.name);
      if (entry.isDirectory()) return `${path}/\n${listing(path)}`;
      return entry.isFile() ? `${path}=${readFileSync(at(path), 'utf8')}` : path;
    })
    .sort()
    .join('\n');
}

/** Put a link in place of what is there, and that aside. */
function swap(victim: string, target: string): () => void {
  return () => {
    if (!existsSync(join(at(victim), '..'))) return;
    try {
      if (lstatSync(at(victim)).isSymbolicLink()) return;
      renameSync(at(victim), at('aside'));
    } catch {
      // It isn't there yet, or no more: the link comes first.
    }
    try {
      symlinkSync(at(target), at(victim));
    } catch {
      // Neither is the folder.
    }
  };
}

interface Job {
  step(): boolean;
  close(): void;
}

/** @returns the error, where one was thrown */
function finish(make: () => Job): SysError | undefined {
  let job: Job | undefined;
  try {
    job = make();
    while (!job.step());
    return undefined;
  } catch (error) {
    if (error instanceof SysError) return error;
    throw error;
  } finally {
    job?.close();
  }
}

function attackEverywhere(
  name: string,
  victim: string,
  target: string,
  make: () => Job,
  options: { before?: () => void } = {},
): void {
  test(`${name}: ${victim} becomes a link to ${target}`, { skip }, () => {
    const descriptors = openDescriptors();
    prepare();
    options.before?.();
    let calls = withAttack(
      -1,
      () => {},
      () => {
        assert.equal(finish(make), undefined);
      },
    );
    assert.ok(calls > 10, 'the calls were seen');
    for (let n = 0; n < calls; n++) {
      prepare();
      options.before?.();
      const outside = listing('outside');
      let error: SysError | undefined;
      calls = withAttack(n, swap(victim, target), () => {
        error = finish(make);
      });
      const where = `attack before call ${n} of ${calls}; ${error?.message ?? 'no error'}`;
      assert.equal(listing('outside'), outside, where);
      if (existsSync(at('to'))) {
        const copied = listing('to');
        assert.ok(!copied.includes(SECRET), `${where}\n${copied}`);
      }
    }
    assert.deepEqual(openDescriptors(), descriptors, 'descriptors left open');
  });
}

const remove = (): Job => new TreeRemoval(at('from'));
for (const [victim, target] of [
  ['from/a', 'outside'],
  ['from/a/b', 'outside/a'],
  ['from/z', 'outside/a'],
  ['from/a/f', 'outside/f'],
] as const) {
  attackEverywhere('removal', victim, target, remove);
}
attackEverywhere('removal of what has become a link itself', 'from', 'outside', remove);

const options: CopyOptions = {
  existing: 'fail',
  recursive: true,
  symlinks: 'copy',
  what: 'content',
  special: 'copy',
  preserve: {
    ...PRESERVE_NOTHING,
    mode: true,
    owner: true,
    times: true,
    xattrs: true,
    links: true,
  },
  isSet: true,
  fileOnly: false,
};
const copy = (more: Partial<CopyOptions> = {}) => {
  return (): Job => new TreeCopy(at('from'), at('to'), { ...options, ...more });
};

for (const [victim, target] of [
  ['from/a', 'outside'],
  ['from/a/b', 'outside/a'],
  ['from/f', 'outside/f'],
  ['from/a/f', 'outside/f'],
] as const) {
  attackEverywhere('copy, the source', victim, target, copy());
}
for (const [victim, target] of [
  ['to/a', 'outside'],
  ['to/a/b', 'outside/a'],
  ['to/a/f', 'outside/f'],
  ['to/f', 'outside/f'],
  ['to/f', 'outside/new'],
  ['to/z/linked', 'outside/f'],
] as const) {
  attackEverywhere('copy, the target', victim, target, copy());
  const before = (): void => {
    mkdirSync(at('to/a/b'), { recursive: true });
    plant('to', 'f', 'a/f', 'a/b/f', 'z/linked');
  };
  attackEverywhere('copy over what is there', victim, target, copy({ existing: 'overwrite' }), {
    before,
  });
}

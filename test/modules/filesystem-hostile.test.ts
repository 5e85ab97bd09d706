/**
 * Disks that are full or read-only, other file systems, and what is not permitted: in namespaces of the
 * test's own, where it may mount what it likes, or may do nothing.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { ON_DISK } from '../support/on-disk.ts';
import { outputOf } from '../support/output.ts';
import { MAIN } from '../support/spec.ts';

const MOUNTS = ['--user', '--map-root-user', '--mount', 'sh', '-c'];
/** Nobody, but the owner of what we own: without the capabilities of root, also where we are root. */
const NOBODY = ['--user', 'sh', '-c'];

function whyNot(namespace: string[], script: string): string | false {
  const run = spawnSync('unshare', [...namespace, script], { encoding: 'utf8' });
  if (run.status === 0) return nativeFailure() ?? false;
  return `no such namespace here: ${run.error?.message ?? run.stderr.trim()}`;
}
const noMounts = whyNot(MOUNTS, 'mount -t tmpfs -o size=64k tmpfs /tmp');
const noNobody = whyNot(NOBODY, 'true');

/** Run a program in a namespace, after a script that finds its folder in `$1`. */
function within(
  name: string,
  namespace: string[],
  skip: string | false,
  script: string,
  source: string,
  expected: string,
): void {
  test(name, { skip, timeout: 300_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'perilune-fs-'));
    const program = join(folder, 'main.lua');
    writeFileSync(program, ON_DISK + source);
    mkdirSync(join(folder, 'disk'));
    try {
      const command = `set -e; ${script}\nexec "$2" --stack-size=3900 "$3" "$1/main.lua"`;
      const args = [...namespace, command, 'sh', folder, process.execPath, MAIN];
      const { stdout, stderr } = await outputOf('unshare', args);
      assert.deepEqual([stdout, stderr], [expected, '']);
    } finally {
      spawnSync('chmod', ['-R', 'u+rwx', folder]);
      chmodSync(folder, 0o700);
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

within(
  'a disk that is full',
  MOUNTS,
  noMounts,
  'mount -t tmpfs -o size=1m,nr_inodes=20 tmpfs "$1/disk"',
  `
  local disk = dir / 'disk'
  write(dir / 'large', ('x'):rep(2 * 2^20))
  print(try(fs.copy_file, dir / 'large', disk / 'copy'), fs.exists(disk / 'copy'))
  write(disk / 'there', 'old')
  print(try(fs.copy_file, dir / 'large', disk / 'there', 'overwrite'), fs.file_size(disk / 'there') < 2 * 2^20)
  fs.remove(disk / 'there')
  for i = 1, 30 do make('t/sub/f' .. i) end
  local e = try(fs.copy, dir / 't', disk / 't', {recursive = true})
  print(e:match '^No space left on device %(generic%) ~/t/sub/f%d+ ~/disk/t/sub/f%d+' ~= nil)
  print(try(fs.create_directory, disk / 'd'))
  print(fs.remove_all(disk / 't') > 10, fs.space(disk).available > 2^19)
  fs.create_directory(disk / 'd')
  print(try(fs.rename, dir / 'large', disk / 'd/large'), try(fs.create_hardlink, dir / 'large', disk / 'd/large'))
  -- Holes need no room.
  write(dir / 'holes', 'x')
  fs.resize_file(dir / 'holes', 2^30)
  print(fs.copy_file(dir / 'holes', disk / 'holes'), fs.file_size(disk / 'holes') == 2^30)
`,
  `No space left on device (generic) ~/large ~/disk/copy	false
No space left on device (generic) ~/large ~/disk/there	true
true
No space left on device (generic) ~/disk/d nil
true	true
Invalid cross-device link (generic) ~/large ~/disk/d/large	Invalid cross-device link (generic) ~/large ~/disk/d/large
true	true
`,
);

within(
  'a disk that is read-only',
  MOUNTS,
  noMounts,
  'mount -t tmpfs tmpfs "$1/disk"; mkdir -p "$1/disk/t/a"; echo x > "$1/disk/t/f"; mount -o remount,bind,ro "$1/disk"',
  `
  local disk = dir / 'disk'
  print(try(fs.remove_all, disk / 't'), try(fs.create_directory, disk / 'd'), try(fs.remove, disk / 't/f'))
  print(try(fs.copy, disk / 't', disk / 'u', {recursive = true}), try(fs.copy_file, disk / 't/f', disk / 'u'))
  print(try(fs.rename, disk / 't', disk / 'u'), try(fs.chmod, disk / 't', 0), try(fs.last_write_time, disk / 't', fs.clock.now()))
  fs.copy(disk / 't', dir / 'copy', {recursive = true})
  print(tree(dir / 'copy', false), try(fs.resize_file, disk / 't/f', 0))
`,
  `Read-only file system (generic) ~/disk/t nil	Read-only file system (generic) ~/disk/d nil	Read-only file system (generic) ~/disk/t/f nil
Read-only file system (generic) ~/disk/t ~/disk/u	Read-only file system (generic) ~/disk/t/f ~/disk/u
Read-only file system (generic) ~/disk/t ~/disk/u	Read-only file system (generic) ~/disk/t nil	Read-only file system (generic) ~/disk/t nil
a/ f	Read-only file system (generic) ~/disk/t/f nil
`,
);

within(
  'what is not permitted',
  NOBODY,
  noNobody,
  'mkdir -p "$1/t/shut/x" "$1/t/open" "$1/t/empty"; chmod 0 "$1/t/shut" "$1/t/empty"; echo x > "$1/t/unreadable"; chmod 0 "$1/t/unreadable"',
  `
  print(try(fs.status, dir / 't/shut/x'), try(fs.exists, dir / 't/shut/x'), try(fs.directory_iterator, dir / 't/shut'))
  local list, failed = {}, 0
  local it = fs.recursive_directory_iterator(dir / 't')
  while true do
    local ok, e = pcall(it)
    if not ok then failed = failed + 1 print(tostring(e), short(e.path1):match '~/t/%w+' ~= nil)
    elseif not e then break
    else list[#list + 1] = e.path.filename end
  end
  table.sort(list)
  print(failed, table.concat(list, ' '))
  local n = 0
  for entry in fs.recursive_directory_iterator(dir / 't', {skip_permission_denied = true}) do n = n + 1 end
  print(n, fs.directory_iterator(dir / 't/shut', {skip_permission_denied = true})() == nil)
  print(try(fs.copy_file, dir / 't/unreadable', dir / 'copy'), fs.exists(dir / 'copy'))
  print(try(fs.mknod, dir / 'null', 0, fs.makedev(1, 3), 'character'), try(fs.chroot, dir))
  print(fs.remove_all(dir / 't/empty'), try(fs.remove_all, dir / 't/shut'))
  fs.create_directory(dir / 'locked')
  write(dir / 'locked/f', 'x')
  fs.chmod(dir / 'locked', fs.mode(5, 0, 0))
  print(try(fs.remove_all, dir / 'locked'), try(fs.copy_file, dir / 'locked/f', dir / 'locked/g'))
  -- A directory that can't be written to is copied with what is in it.
  fs.copy(dir / 'locked', dir / 'copied', {recursive = true})
  print(read(dir / 'copied/f'), format('{:o}', fs.status(dir / 'copied').mode))
  -- Another's file: its owner can't be given.
  print(fs.copy_file(P '/etc/passwd', dir / 'passwd', {preserve = 'all'}))
`,
  `Permission denied (generic) ~/t/shut/x nil	Permission denied (generic) ~/t/shut/x nil	Permission denied (generic) ~/t/shut nil
Permission denied	true
Permission denied	true
2	empty open shut unreadable
4	true
Permission denied (generic) ~/t/unreadable ~/copy	false
Operation not permitted (system) ~/null nil	Operation not permitted (system) ~ nil
1	Permission denied (generic) ~/t/shut nil
Permission denied (generic) ~/locked/f nil	Permission denied (generic) ~/locked/f ~/locked/g
x	500
true
`,
);

within(
  'another root for the process',
  MOUNTS,
  noMounts,
  'mkdir "$1/disk/inside"; export TMPDIR="$1/disk"',
  `
  print(short(fs.temp_directory_path()))
  print(try(fs.chroot, dir / 'none'))
  fs.chroot(dir / 'disk')
  print(fs.is_directory(P '/inside'), fs.exists(dir), try(fs.temp_directory_path) ~= nil)
  print(fs.canonical(P '/../../inside'))
`,
  `~/disk
No such file or directory (system) ~/none nil
true	false	true
/inside
`,
);

within(
  'folders for temporary files that are none',
  NOBODY,
  noNobody,
  'export TMPDIR="$1/main.lua"',
  `
  print(try(fs.temp_directory_path))
`,
  'Not a directory (generic) ~/main.lua nil\n',
);

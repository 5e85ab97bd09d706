/** What init.script's calls bring about, in namespaces that unshare(1) made: mounts, roots, names, walls. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { run, skip } from '../support/init-script.ts';

const UNSHARE = ['unshare', '--user', '--map-root-user', '--mount', '--uts', '--pid', '--fork'];

function missing(): string | false {
  if (skip) return skip;
  const probe = spawnSync(UNSHARE[0]!, [...UNSHARE.slice(1), 'true']);
  if (probe.error) return 'unshare is missing';
  return probe.status === 0 ? false : 'user namespaces may not be made here';
}
const noNamespaces = missing();

function inNamespaces(name: string, script: string, output: string): void {
  test(name, { skip: noNamespaces, timeout: 300_000 }, () => {
    const { status, stdout, stderr } = run(script, { under: UNSHARE });
    assert.equal(stderr, '');
    assert.equal(stdout, output);
    assert.equal(status, 0);
  });
}

const READ = `
local function content(path)
  local file = io.open(path)
  local text = file and file:read('*a')
  if file then file:close() end
  return text
end
local function fails(result, errno)
  for _, name in ipairs{'EROFS', 'ENOENT', 'EACCES', 'EPERM', 'EBUSY', 'EXDEV', 'EINVAL'} do
    if C[name] == errno then return result, name end
  end
  return result, errno
end
`;

inNamespaces(
  'a root is built of tmpfs and bind mounts, and entered',
  `${READ}
  C.umask(0)
  C.mount(nil, '/', nil, bit.bor(C.MS_REC, C.MS_PRIVATE), nil)
  C.mkdir('root', mode(7, 5, 5))
  C.mount('tmpfs', 'root', 'tmpfs', bit.bor(C.MS_NOSUID, C.MS_NODEV), 'mode=0755,size=1m')
  C.chdir('root')
  for _, name in ipairs{'etc', 'old', 'tmp'} do C.mkdir(name, mode(7, 5, 5)) end
  local fd = C.open('etc/name', bit.bor(C.O_CREAT, C.O_WRONLY), mode(6, 4, 4))
  write_all(fd, 'inside\\n')
  C.close(fd)
  C.mount('etc', 'tmp', nil, C.MS_BIND, nil)
  C.mount(nil, 'tmp', nil, bit.bor(C.MS_BIND, C.MS_REMOUNT, C.MS_RDONLY, C.MS_NOSUID, C.MS_NODEV), nil)
  errexit = false
  print(fails(C.open('tmp/name', C.O_WRONLY)))
  errexit = true
  C.pivot_root('.', 'old')
  C.chdir('/')
  C.umount2('old', C.MNT_DETACH)
  print(content('/etc/name'), content('/tmp/name'), io.open('/proc/self/status'))
  C.umount('/tmp')
  print(content('/tmp/name'), (C.access('/etc', C.X_OK)))
  C.chroot('/etc')
  C.chdir('/')
  print(content('/name'))
  `,
  `-1\tEROFS
inside
\tinside
\tnil\t/proc/self/status: No such file or directory\t2
nil\t0
inside

`,
);

inNamespaces(
  'the newer calls for mounts do the same',
  `${READ}
  C.umask(0)
  local fs = C.fsopen('tmpfs', C.FSOPEN_CLOEXEC)
  C.fsconfig(fs, C.FSCONFIG_SET_STRING, 'size', '1m', 0)
  C.fsconfig(fs, C.FSCONFIG_SET_STRING, 'mode', '0755')
  C.fsconfig(fs, C.FSCONFIG_CMD_CREATE)
  local mount = C.fsmount(fs, C.FSMOUNT_CLOEXEC, C.MOUNT_ATTR_NODEV)
  C.close(fs)
  C.mkdir('new', mode(7, 5, 5))
  C.move_mount(mount, '', C.AT_FDCWD, 'new', C.MOVE_MOUNT_F_EMPTY_PATH)
  C.close(C.open('new/file', bit.bor(C.O_CREAT, C.O_WRONLY), mode(6, 4, 4)))
  local tree = C.open_tree(C.AT_FDCWD, 'new', bit.bor(C.OPEN_TREE_CLONE, C.OPEN_TREE_CLOEXEC))
  C.mount_setattr(tree, nil, C.AT_EMPTY_PATH, {attr_set = C.MOUNT_ATTR_RDONLY})
  C.mkdir('copy', mode(7, 5, 5))
  C.move_mount(tree, '', C.AT_FDCWD, 'copy', C.MOVE_MOUNT_F_EMPTY_PATH)
  errexit = false
  print(fails(C.open('copy/file', C.O_WRONLY)))
  local file = C.open('new/file', C.O_WRONLY)
  print(file >= 0, C.close(file), (C.access('copy/file', C.F_OK)))
  local pick = C.fspick(C.AT_FDCWD, 'new', C.FSPICK_CLOEXEC)
  print(C.fsconfig(pick, C.FSCONFIG_SET_FLAG, 'ro'))
  print(C.fsconfig(pick, C.FSCONFIG_CMD_RECONFIGURE))
  print(fails(C.open('new/file', C.O_WRONLY)))
  `,
  `-1\tEROFS
true\t0\t0
0\t0
0\t0
-1\tEROFS
`,
);

inNamespaces(
  'names of the host and of its domain',
  `${READ}
  C.sethostname('inner')
  C.setdomainname('example')
  print(content('/proc/sys/kernel/hostname'), content('/proc/sys/kernel/domainname'))
  `,
  'inner\n\texample\n\n',
);

inNamespaces(
  'capabilities are taken away one by one, and all',
  `${READ}
  local function caps(name) return content('/proc/self/status'):match(name .. ':%s*(%x+)') end
  C.cap_drop_bound('cap_sys_boot')
  C.cap_set_proc('cap_chown,cap_kill=eip cap_chown-e')
  print(caps('CapEff'), caps('CapPrm'), caps('CapInh'), tonumber(caps('CapBnd'):sub(-6, -6), 16) % 8 < 4)
  C.cap_set_ambient('cap_kill', true)
  print(caps('CapAmb'))
  C.cap_set_ambient('cap_kill', false)
  C.cap_set_ambient('cap_chown', true)
  C.cap_reset_ambient()
  print(caps('CapAmb'))
  errexit = false
  for _, text in ipairs{'no_such_cap=', 'cap_kill', '+ep', 'cap_kill+', 'cap_kill=p=e', 'cap_kill=x', 'cap_kill,=p'} do
    print((select(2, C.cap_set_proc(text))) == C.EINVAL)
  end
  print((select(2, C.cap_drop_bound('nonsense'))) == C.EINVAL, (select(2, C.cap_set_ambient('', true))) == C.EINVAL)
  print(C.cap_set_proc(''))
  print(caps('CapEff'), caps('CapPrm'))
  print(fails(C.cap_set_proc('all=p')))
  `,
  `0000000000000020\t0000000000000021\t0000000000000021\ttrue
0000000000000020
0000000000000000
true
true
true
true
true
true
true
true\ttrue
0\t0
0000000000000000\t0000000000000000
-1\tEPERM
`,
);

const landlock = (): string | false => {
  if (skip) return skip;
  const { stdout } = run(`errexit = false print(C.landlock_create_ruleset(nil, {'version'}))`);
  return stdout.startsWith('-1') ? 'the kernel has no Landlock' : false;
};

test('Landlock walls off what no rule allows', { skip: landlock(), timeout: 300_000 }, () => {
  const { stdout, stderr } = run(`${READ}
  C.mkdir('allowed', mode(7, 0, 0))
  C.close(C.open('allowed/file', bit.bor(C.O_CREAT, C.O_WRONLY), mode(6, 0, 0)))
  C.close(C.open('outside', bit.bor(C.O_CREAT, C.O_WRONLY), mode(6, 0, 0)))
  local fd = C.landlock_create_ruleset{handled_access_fs = {'read_file', 'write_file', 'make_dir'}}
  local folder = C.open('allowed', bit.bor(C.O_PATH, C.O_DIRECTORY, C.O_CLOEXEC))
  C.landlock_add_rule(fd, 'path_beneath', {allowed_access = {'read_file'}, parent_fd = folder})
  set_no_new_privs()
  C.landlock_restrict_self(fd)
  errexit = false
  print(C.open('allowed/file', C.O_RDONLY) > 0)
  print(fails(C.open('allowed/file', C.O_WRONLY)))
  print(fails(C.open('outside', C.O_RDONLY)))
  print(fails(C.mkdir('allowed/folder', mode(7, 0, 0))))
  `);
  assert.equal(stderr, '');
  assert.equal(stdout, 'true\n-1\tEACCES\n-1\tEACCES\n-1\tEACCES\n');
});

test('a seccomp filter denies a system call', { skip, timeout: 300_000 }, () => {
  // Where the argument is 0x55aa, umask(2) fails with EPERM: LD arg 0; JEQ; RET ERRNO(1); RET ALLOW.
  const { stdout, stderr } = run(`
  local number = ${process.arch === 'x64' ? 95 : 166}
  local function instruction(code, jt, jf, k)
    return string.char(code, 0, jt, jf, k % 256, math.floor(k / 256) % 256, math.floor(k / 65536) % 256, math.floor(k / 2^24))
  end
  set_no_new_privs()
  print(C.seccomp_set_mode_filter(
    instruction(0x20, 0, 0, 0) .. instruction(0x15, 0, 1, number) ..
    instruction(0x06, 0, 0, 0x50001) .. instruction(0x06, 0, 0, 0x7fff0000)))
  print(C.umask(0))
  errexit = false
  print((select(2, C.seccomp_set_mode_filter('too short'))) == C.EINVAL)
  print((select(2, C.seccomp_set_mode_filter('\\1\\1\\1\\1\\1\\1\\1\\1'))) == C.EINVAL)
  `);
  assert.equal(stderr, '');
  assert.equal(stdout, '0\t0\n-1\ntrue\ntrue\n');
});

test('execve and fexecve become another program, with its arguments and environment', {
  skip,
  timeout: 300_000,
}, () => {
  const script = (call: string) =>
    run(`
    io.write('before ') io.stdout:flush()
    ${call}
    print('not reached')`);
  const args = "{'sh', '-c', 'echo $0 $A $B $#', 'name', 'x'}, {A = 'first', B = 'second'}";
  for (const call of [
    `C.execve('/bin/sh', ${args})`,
    `C.fexecve(C.open('/bin/sh', C.O_RDONLY), ${args})`,
  ]) {
    const { stdout, stderr, status } = script(call);
    assert.equal(stderr, '');
    assert.equal(stdout, 'before name first second 1\n');
    assert.equal(status, 0);
  }
});

/** Each function of init.script makes the system call that it is named after, with the arguments given: by strace(1). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { folder, run, skip } from '../support/init-script.ts';

/** Lua, and what strace prints of it: a pattern, `…` for anything. No pattern: no system call is made. */
const CALLS: readonly (readonly [string, string?])[] = [
  [
    "fd = C.open('file', C.O_CREAT + C.O_RDWR + C.O_CLOEXEC, mode(6, 4, 0))",
    'openat(AT_FDCWD, "file", O_RDWR|O_CREAT|O_CLOEXEC, 0640) = <fd>',
  ],
  ["C.open('file', C.O_RDONLY)", 'openat(AT_FDCWD, "file", O_RDONLY) = …'],
  ["C.write(fd, 'some bytes')", 'write(<fd>, "some bytes", 10) = 10'],
  ["write_all(fd, 'more')", 'write(<fd>, "more", 4) = 4'],
  ['C.read(fd, 77)', 'read(<fd>, "", 77) = 0'],
  ['C.dup(fd)', 'dup(<fd>) = …'],
  ['C.dup2(fd, 200)', 'dup2(<fd>, 200) = 200'],
  ['C.close(200)', 'close(200) = 0'],
  ["C.mkdir('folder', mode(7, 5, 1))", 'mkdirat(AT_FDCWD, "folder", 0751) = 0'],
  ["C.link('file', 'linked')", 'link("file", "linked") = 0'],
  [
    "C.linkat(C.AT_FDCWD, 'file', C.AT_FDCWD, 'linked2', C.AT_SYMLINK_FOLLOW)",
    'linkat(AT_FDCWD, "file", AT_FDCWD, "linked2", AT_SYMLINK_FOLLOW) = 0',
  ],
  ["C.symlink('to nowhere', 'symbolic')", 'symlink("to nowhere", "symbolic") = 0'],
  ["C.chown('file', -1, -1)", 'chown("file", -1, -1) = 0'],
  ["C.chmod('file', mode(6, 0, 0))", 'chmod("file", 0600) = 0'],
  ['C.umask(mode(0, 7, 7))', 'umask(077) = …'],
  ["C.access('file', C.R_OK + C.W_OK)", 'faccessat(AT_FDCWD, "file", R_OK|W_OK) = 0'],
  ["C.eaccess('file', C.F_OK)", 'faccessat2(AT_FDCWD, "file", F_OK, AT_EACCESS) = 0'],
  ["C.mkfifo('fifo', mode(6, 0, 0))", 'mknod…"fifo", S_IFIFO|0600) = 0'],
  [
    "C.mknod('/no/such/device', C.S_IFCHR + mode(6, 6, 6), C.makedev(1, 3))",
    'mknod…"/no/such/device", S_IFCHR|0666, makedev(0x1, 0x3)) = -1 ENOENT …',
  ],
  // FreeBSD's: none of Linux's calls stands for them.
  ['C.cap_enter()'],
  ['C.caph_limit_stdio()'],
  ['C.caph_cache_tzdata()'],
  ['C.jail_attach(1)'],
  ["C.jail_set({name = 'jail'})"],
  ["C.unmount('folder', 0)"],
  ['C.makedev(8, 1)'],
  ['C.dev_major(2049)'],
  ['C.dev_minor(2049)'],
  [
    "C.mount('/no/source', '/no/target', 'tmpfs', C.MS_RDONLY + C.MS_NOSUID, 'size=1m')",
    'mount("/no/source", "/no/target", "tmpfs", MS_RDONLY|MS_NOSUID, "size=1m") = -1 …',
  ],
  [
    "C.mount(nil, '/no/target', nil, C.MS_PRIVATE + C.MS_REC, nil)",
    'mount(NULL, "/no/target", NULL, MS_REC|MS_PRIVATE, NULL) = -1 …',
  ],
  ["C.umount('/no/target')", 'umount2("/no/target", 0) = -1 …'],
  ["C.umount2('/no/target', C.MNT_DETACH)", 'umount2("/no/target", MNT_DETACH) = -1 …'],
  ["C.pivot_root('/no/new', '/no/old')", 'pivot_root("/no/new", "/no/old") = -1 …'],
  ["C.chroot('/no/root')", 'chroot("/no/root") = -1 …'],
  [
    "C.mount_setattr(C.AT_FDCWD, '/no/target', C.AT_RECURSIVE, {attr_set = C.MOUNT_ATTR_RDONLY, attr_clr = C.MOUNT_ATTR_NOEXEC, propagation = C.MS_SLAVE})",
    'mount_setattr(AT_FDCWD, "/no/target", AT_RECURSIVE, {attr_set=MOUNT_ATTR_RDONLY, attr_clr=MOUNT_ATTR_NOEXEC, propagation=MS_SLAVE, userns_fd=0}, 32) = -1 …',
  ],
  [
    "C.fsopen('no such file system', C.FSOPEN_CLOEXEC)",
    'fsopen("no such file system", FSOPEN_CLOEXEC) = -1 …',
  ],
  [
    'C.fsmount(-1, C.FSMOUNT_CLOEXEC, C.MOUNT_ATTR_NODEV)',
    'fsmount(-1, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV) = -1 …',
  ],
  [
    "C.fsconfig(fd, C.FSCONFIG_SET_STRING, 'key', 'value', 0)",
    'fsconfig(<fd>, FSCONFIG_SET_STRING, "key", "value", 0) = -1 …',
  ],
  [
    "C.fsconfig(fd, C.FSCONFIG_SET_BINARY, 'key', 'a\\0b')",
    'fsconfig(<fd>, FSCONFIG_SET_BINARY, "key", "\\x61\\x00\\x62", 3) = -1 …',
  ],
  [
    'C.fsconfig(fd, C.FSCONFIG_CMD_CREATE, nil, nil)',
    'fsconfig(<fd>, FSCONFIG_CMD_CREATE, NULL, NULL, 0) = -1 …',
  ],
  [
    "C.move_mount(-1, '', C.AT_FDCWD, '/no/target', C.MOVE_MOUNT_F_EMPTY_PATH)",
    'move_mount(-1, "", AT_FDCWD, "/no/target", MOVE_MOUNT_F_EMPTY_PATH) = -1 …',
  ],
  [
    "C.fspick(C.AT_FDCWD, '/no/target', C.FSPICK_CLOEXEC)",
    'fspick(AT_FDCWD, "/no/target", FSPICK_CLOEXEC) = -1 …',
  ],
  [
    "C.open_tree(C.AT_FDCWD, '/no/tree', C.OPEN_TREE_CLOEXEC)",
    'open_tree(AT_FDCWD, "/no/tree", OPEN_TREE_CLOEXEC) = -1 …',
  ],
  ['C.unshare(0)', 'unshare(0) = 0'],
  ['C.setns(-1, C.CLONE_NEWUTS)', 'setns(-1, CLONE_NEWUTS) = -1 EBADF …'],
  ["C.sethostname(('h'):rep(65))", 'sethostname(…, 65) = -1 …'],
  ["C.setdomainname(('d'):rep(65))", 'setdomainname(…, 65) = -1 …'],
  ['C.setpgid(0, 0)', 'setpgid(0, 0) = …'],
  ['C.setsid()', 'setsid() = …'],
  ['C.setresgid(-1, -1, -1)', 'setresgid(-1, -1, -1) = 0'],
  ['C.setresuid(-1, -1, -1)', 'setresuid(-1, -1, -1) = 0'],
  ['C.setgroups({5, 7})', 'setgroups(2, [5, 7]) = …'],
  ['socket = C.socket(C.AF_UNIX, C.SOCK_STREAM, 0)', 'socket(AF_UNIX, SOCK_STREAM, 0) = <socket>'],
  [
    "bind_unix(socket, 'a socket')",
    'bind(<socket>, {sa_family=AF_UNIX, sun_path="a socket"}, 11) = 0',
  ],
  [
    "bind_unix(socket, '\\0abstract')",
    'bind(<socket>, {sa_family=AF_UNIX, sun_path=@"abstract"}, 11) = -1 …',
  ],
  ['C.listen(socket, 5)', 'listen(<socket>, 5) = 0'],
  [
    "send_with_fd(socket, 'data', fd)",
    'sendmsg(<socket>, {…[{iov_base="data", iov_len=4}]…cmsg_type=SCM_RIGHTS, cmsg_data=[<fd>]…}, 0) = -1 …',
  ],
  ['receive_with_fd(socket, 99)', 'recvmsg(<socket>, …, MSG_CMSG_CLOEXEC) = -1 …'],
  [
    "C.execve('/no/such', {'first', 'second'}, {KEY = 'value'})",
    'execve("/no/such", ["first", "second"], …) = -1 ENOENT …',
  ],
  ["C.execve('/no/such', nil, nil)", 'execve("/no/such", NULL, NULL) = -1 ENOENT …'],
  ["C.fexecve(fd, {'only'}, {})", 'execveat(<fd>, "", ["only"], …, AT_EMPTY_PATH) = -1 …'],
  ["C.cap_drop_bound('cap_sys_boot')", 'prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT…) = …'],
  [
    "C.cap_set_ambient('CAP_CHOWN', true)",
    'prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) = …',
  ],
  [
    "C.cap_set_ambient('cap_chown', false)",
    'prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0) = …',
  ],
  ['C.cap_reset_ambient()', 'prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) = …'],
  [
    'C.cap_set_secbits(C.SECBIT_NOROOT + C.SECBIT_KEEP_CAPS)',
    'prctl(PR_SET_SECUREBITS, SECBIT_NOROOT|SECBIT_KEEP_CAPS…) = …',
  ],
  [
    "C.cap_set_proc('cap_kill,cap_chown+ep cap_chown-e')",
    'capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_KILL, permitted=1<<CAP_CHOWN|1<<CAP_KILL, inheritable=0}) = …',
  ],
  [
    "C.cap_set_proc('=')",
    'capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=0, permitted=0, inheritable=0}) = 0',
  ],
  ['set_no_new_privs()', 'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) = 0'],
  [
    "C.landlock_create_ruleset(nil, {'version'})",
    'landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) = …',
  ],
  [
    "C.landlock_create_ruleset({handled_access_fs = {'execute', 'read_dir'}})",
    'landlock_create_ruleset({handled_access_fs=LANDLOCK_ACCESS_FS_EXECUTE|LANDLOCK_ACCESS_FS_READ_DIR}, 8, 0) = …',
  ],
  [
    "C.landlock_add_rule(fd, 'path_beneath', {allowed_access = {'read_file'}, parent_fd = fd})",
    'landlock_add_rule(<fd>, LANDLOCK_RULE_PATH_BENEATH, {allowed_access=LANDLOCK_ACCESS_FS_READ_FILE, parent_fd=<fd>}, 0) = -1 …',
  ],
  [
    "C.landlock_add_rule(fd, 'net_port', {allowed_access = {'connect_tcp'}, port = 443})",
    'landlock_add_rule(<fd>, …, 0) = -1 …',
  ],
  ['C.landlock_restrict_self(-1)', 'landlock_restrict_self(-1, 0) = -1 …'],
  [
    "C.seccomp_set_mode_filter('\\6\\0\\0\\0\\0\\0\\255\\127')",
    'seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=1, filter=0x…}) = 0',
  ],
  ["C.chdir('folder')", 'chdir("folder") = 0'],
  ['C.closefrom(1000)', 'close_range(1000, 4294967295, 0) = 0'],
];

const PREFIX = `
errexit = false
function numbers() io.stderr:write(fd or 'none', ' ', socket or 'none', '\\n') end
`;
const NAMES =
  'openat,write,read,dup,dup2,close,mkdirat,link,linkat,symlink,chown,chmod,umask,faccessat,faccessat2,mknod,mknodat,mount,umount2,pivot_root,' +
  'chroot,mount_setattr,fsopen,fsmount,fsconfig,move_mount,fspick,open_tree,unshare,setns,sethostname,setdomainname,setpgid,setsid,' +
  'setresgid,setresuid,setgroups,socket,bind,listen,sendmsg,recvmsg,execve,execveat,prctl,capset,landlock_create_ruleset,' +
  'landlock_add_rule,landlock_restrict_self,seccomp,chdir,close_range';

const log = join(folder, 'strace.log');
const strace = ['strace', '-f', '-s', '100', '-o', log, '-e', `trace=${NAMES}`];

function missing(): string | false {
  if (skip) return skip;
  if (process.arch !== 'x64') return 'other architectures have other system calls';
  const probe = spawnSync('strace', ['-o', '/dev/null', 'true']);
  if (probe.error) return 'strace is missing';
  return probe.status === 0 ? false : 'strace may not trace here';
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

test('every function makes its system call', { skip: missing(), timeout: 300_000 }, () => {
  const script = `${PREFIX}${CALLS.map(([lua]) => lua).join('\n')}\nnumbers()`;
  const { status, stderr } = run(script, { under: strace });
  assert.equal(status, 0, stderr);
  const [fd, socket] = stderr.trim().split(' ');
  const lines = readFileSync(log, 'latin1').split('\n');
  const main = lines[0]!.split(' ', 1)[0]!; // glibc has other threads call setresuid, too
  const trace = lines
    .filter((line) => line.startsWith(`${main} `))
    .map((line) => line.replace(/^\d+ +/, ''))
    .join('\n')
    // A call during which another thread made one stands on two lines.
    .replace(/ <unfinished \.\.\.>\n<\.\.\. \w+ resumed>/g, '')
    .split('\n')
    .map((line) => line.replace(/ += /, ' = '));
  let at = 0;
  for (const [lua, pattern] of CALLS) {
    if (pattern === undefined) continue;
    const source = escape(pattern)
      .replaceAll('<fd>', fd!)
      .replaceAll('<socket>', socket!)
      .replaceAll('…', '.*');
    const expression = new RegExp(`^${source}$`);
    const found = trace.findIndex((line, i) => i >= at && expression.test(line));
    assert.ok(found >= 0, `${lua}\nexpected after "${trace[at - 1]}": ${expression}`);
    at = found + 1;
  }
});

test('no function is left out above', { skip }, () => {
  const { stdout } = run(`
    local names = {'write_all', 'send_with_fd', 'receive_with_fd', 'bind_unix', 'set_no_new_privs'}
    for name in pairs(C) do names[#names + 1] = 'C.' .. name end
    print(table.concat(names, ' '))
  `);
  const all = CALLS.map(([lua]) => lua).join('\n');
  for (const name of stdout.trim().split(' ')) assert.ok(all.includes(`${name}(`), name);
});

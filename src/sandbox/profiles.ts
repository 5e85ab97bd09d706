/** Sets of system calls. Each is what a process of ours needs for one kind of work, and no more. */
import { ALL_BITS, type Condition, type Rule } from './seccomp.ts';

const ENOSYS = 38;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_FLAGS = 0o2004000; // SOCK_CLOEXEC | SOCK_NONBLOCK
const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
/** The kind of a mapping; MAP_GROWSDOWN, MAP_LOCKED, MAP_HUGETLB. */
const MAPPING = 0x4210fn;
const PR_SET_NAME = 15;
/** All that makes, or changes: O_ACCMODE, O_CREAT, O_TRUNC, and the bit of O_TMPFILE. */
const CHANGING = 0o20001103;

/** CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: a thread shares all that a process has. */
const THREAD = 0x00010f00;
/** And SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED, CHILD_SETTID: how the C library starts one. */
const THREAD_FLAGS =
  THREAD | 0x00040000 | 0x00080000 | 0x00100000 | 0x00200000 | 0x00400000 | 0x01000000;

const F_DUPFD_CLOEXEC = 1030;
const F_SETFL = 4;
const fcntlCommands = [F_DUPFD_CLOEXEC, 1, 2, 3]; // F_GETFD, F_SETFD, F_GETFL
const O_ASYNC = 0o20000;
const MSG_DONTWAIT = 0x40;
const MSG_FASTOPEN = 0x2000_0000;
/** FIONREAD, FIONBIO, FIOCLEX, TCGETS: none that changes more than the descriptor. */
const ioctls = [0x541b, 0x5421, 0x5451, 0x5401];

/** An argument, from 0 on, of which all 64 bits count. */
const is = (arg: number, ...values: number[]): Condition => ({
  arg,
  mask: ALL_BITS,
  compare: 'eq',
  values: values.map(BigInt),
});
const masked = (arg: number, mask: bigint, value: number): Condition => ({
  arg,
  mask,
  compare: 'eq',
  values: [BigInt(value)],
});
/** No bits but these. */
const within = (arg: number, bits: number): Condition => masked(arg, ~BigInt(bits) & ALL_BITS, 0);
/** All of these bits. */
const has = (arg: number, bits: number): Condition => masked(arg, BigInt(bits), bits);
const hasNot = (arg: number, bits: number): Condition => masked(arg, BigInt(bits), 0);

const allow = (calls: readonly string[], ...when: Condition[]): Rule => ({
  calls,
  when,
  action: 'allow',
});

const protections = (writeAndExecute: boolean): Condition[] =>
  writeAndExecute ? [] : [within(2, ~PROT_EXEC & 0x7fffffff)];

/** Memory, time, threads and events: what JavaScript needs to compute, and nothing that reaches out. */
const memory = (writeAndExecute: boolean): Rule[] => [
  // RLIMIT_DATA counts neither what is shared nor what grows as a stack does; huge pages are the machine's.
  allow(['mmap'], masked(3, MAPPING, MAP_PRIVATE), ...protections(writeAndExecute)),
  allow(['mprotect', 'pkey_mprotect'], ...protections(writeAndExecute)),
  allow(['munmap', 'madvise', 'mremap', 'brk', 'futex', 'membarrier', 'rseq', 'set_robust_list']),
  allow(['getpid', 'getppid', 'gettid', 'sched_yield', 'sched_getaffinity', 'getrusage']),
  allow(['getrandom', 'clock_gettime', 'clock_getres', 'clock_nanosleep', 'nanosleep']),
  allow(['gettimeofday', 'time']),
  allow(['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall']),
  allow(['exit', 'exit_group']),
  allow(['epoll_create1', 'epoll_ctl', 'epoll_wait', 'epoll_pwait', 'eventfd2', 'pipe2']),
  // Who waits holds what he waits for, also when he has no descriptor of it any more.
  allow(['poll', 'ppoll'], within(1, 7)),
  allow(['clone'], within(0, THREAD_FLAGS), has(0, THREAD)),
  // Its flags are in memory, where no filter can look: the C library then asks with clone.
  { calls: ['clone3'], when: [], action: { errno: ENOSYS } },
  allow(['prctl'], is(0, PR_SET_NAME)),
];

/** What is open may be used: nothing here opens, names or connects. */
const descriptors: Rule[] = [
  allow(['read', 'write', 'readv', 'writev', 'close', 'close_range', 'dup', 'lseek', 'fstat']),
  allow(['pread64', 'pwrite64', 'preadv2', 'pwritev2', 'fsync', 'fdatasync', 'ftruncate']),
  allow(['recvfrom', 'recvmsg', 'shutdown', 'accept4', 'getsockname', 'getpeername', 'getsockopt']),
  // MSG_FASTOPEN connects, and shutdown(2) makes of a socket that listens one that can be connected.
  allow(['sendto'], hasNot(3, MSG_FASTOPEN)),
  // Descriptors on their way are counted before it waits for room: many threads could have any number of them.
  allow(['sendmsg'], masked(2, BigInt(MSG_FASTOPEN | MSG_DONTWAIT), MSG_DONTWAIT)),
  // SO_REUSEADDR, SO_KEEPALIVE, SO_OOBINLINE, SO_RCVLOWAT. Not SO_SNDBUF, SO_RCVBUF: what is in a socket no limit counts; not
  // SO_LINGER: whoever closes the socket as the last waits then, and that may be its maker.
  allow(['setsockopt'], is(1, SOL_SOCKET), is(2, 2, 9, 10, 18)),
  allow(['setsockopt'], is(1, IPPROTO_TCP), is(2, 1)), // TCP_NODELAY
  allow(['fcntl'], is(1, ...fcntlCommands)),
  // A terminal signals those who use it, then: SIGIO ends them.
  allow(['fcntl'], is(1, F_SETFL), hasNot(2, O_ASYNC)),
  allow(['ioctl'], is(1, ...ioctls)),
  // An address to send: a pair of sockets that are connected to each other.
  allow(['socketpair'], is(0, AF_UNIX), is(1, SOCK_SEQPACKET, SOCK_SEQPACKET | SOCK_FLAGS)),
];

/** Files by their names, as far as the process sees and may have them. */
const files: Rule[] = [
  allow(['open', 'openat', 'openat2', 'creat', 'getdents64', 'getcwd', 'chdir', 'fchdir', 'umask']),
  allow(['stat', 'lstat', 'newfstatat', 'statx', 'access', 'faccessat', 'faccessat2']),
  allow(['statfs', 'fstatfs', 'readlink', 'readlinkat', 'getxattr', 'lgetxattr', 'fgetxattr']),
  allow(['mkdir', 'mkdirat', 'rmdir', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2']),
  allow(['link', 'linkat', 'symlink', 'symlinkat', 'truncate', 'fallocate', 'utimensat']),
  allow(['chmod', 'fchmod', 'fchmodat', 'fchmodat2', 'flock', 'fadvise64', 'copy_file_range']),
  allow(['sendfile', 'sync_file_range']),
];

/** Connections to others, names included, for which files of the system are read. */
const client: Rule[] = [
  allow(
    ['socket'],
    is(0, AF_INET, AF_INET6),
    is(
      1,
      ...[SOCK_STREAM, SOCK_DGRAM].flatMap((type) =>
        [0, 0o2000000, 0o4000, SOCK_FLAGS].map((flags) => type | flags),
      ),
    ),
  ),
  allow(['connect', 'sendmmsg', 'recvmmsg']),
  allow(['setsockopt'], is(1, SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_IPV6)),
  allow(['open'], hasNot(1, CHANGING)),
  allow(['openat'], hasNot(2, CHANGING)),
  allow(['newfstatat', 'statx', 'access', 'faccessat', 'faccessat2', 'readlink', 'readlinkat']),
  allow(['stat', 'lstat', 'uname']),
];

/** To compute, and to use what is open. @param jitless  no memory becomes executable any more */
export const computeProfile = (jitless: boolean): Rule[] => [...memory(!jitless), ...descriptors];

/**
 * And sockets that somebody else connects and binds, or puts others in the place of (libc_service). In a network namespace without
 * interfaces: of what is made here nothing leads out. Not listen(2): a connected socket of the host's, shut down, would be one that
 * listens there.
 */
export const serviceProfile = (jitless: boolean): Rule[] => [
  ...computeProfile(jitless),
  allow(
    ['socket'],
    is(0, AF_INET, AF_INET6),
    is(1, SOCK_STREAM, SOCK_STREAM | SOCK_FLAGS),
    is(2, 0),
  ),
  allow(
    ['socket'],
    is(0, AF_UNIX),
    is(1, ...[SOCK_STREAM, SOCK_SEQPACKET].flatMap((type) => [type, type | SOCK_FLAGS])),
    is(2, 0),
  ),
  allow(['dup3']),
];

export const PROFILES: ReadonlyMap<string, readonly Rule[]> = new Map([
  ['compute', computeProfile(false)],
  ['files', [...computeProfile(false), ...files]],
  ['net_client', [...computeProfile(false), ...client]],
]);

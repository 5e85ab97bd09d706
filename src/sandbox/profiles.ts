/** Sets of system calls. */
import type { Rule } from './seccomp.ts';

const ENOSYS = 38;

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_FLAGS = 0o2004000; // SOCK_CLOEXEC | SOCK_NONBLOCK
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const PROT_EXEC = 4;
const AT_EMPTY_PATH = 0x1000;
const PR_SET_NAME = 15;

/** CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: a thread shares all that a process has. */
const THREAD = 0x00010f00;
/** And SETTLS, PARENT_SETTID, CHILD_CLEARTID, DETACHED, CHILD_SETTID: how the C library starts one. */
const THREAD_FLAGS =
  THREAD | 0x00040000 | 0x00080000 | 0x00100000 | 0x00200000 | 0x00400000 | 0x01000000;

const F_DUPFD_CLOEXEC = 1030;
const fcntlCommands = [F_DUPFD_CLOEXEC, 1, 2, 3, 4]; // F_GETFD, F_SETFD, F_GETFL, F_SETFL
/** FIONREAD, FIONBIO, FIOCLEX, TCGETS: none that changes more than the descriptor. */
const ioctls = [0x541b, 0x5421, 0x5451, 0x5401];

/** Memory, time, threads and events: what JavaScript needs to compute, and nothing that reaches out. */
const memory = (writeAndExecute: boolean): Rule[] => [
  ...(writeAndExecute
    ? [{ calls: ['mmap', 'mprotect', 'pkey_mprotect'] }]
    : [
        {
          calls: ['mmap', 'mprotect', 'pkey_mprotect'],
          when: [{ arg: 2, within: ~PROT_EXEC & 0x7fffffff }],
        },
      ]),
  {
    calls: ['munmap', 'madvise', 'mremap', 'brk', 'futex', 'membarrier', 'rseq', 'set_robust_list'],
  },
  {
    calls: [
      'getpid',
      'getppid',
      'gettid',
      'sched_yield',
      'sched_getaffinity',
      'getrusage',
      'getrandom',
    ],
  },
  {
    calls: [
      'clock_gettime',
      'clock_getres',
      'clock_nanosleep',
      'nanosleep',
      'gettimeofday',
      'time',
    ],
  },
  { calls: ['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'restart_syscall'] },
  { calls: ['exit', 'exit_group'] },
  {
    calls: [
      'epoll_create1',
      'epoll_ctl',
      'epoll_wait',
      'epoll_pwait',
      'eventfd2',
      'pipe2',
      'poll',
      'ppoll',
    ],
  },
  {
    calls: ['clone'],
    when: [
      { arg: 0, within: THREAD_FLAGS },
      { arg: 0, has: THREAD },
    ],
  },
  // Its flags are in memory, where no filter can look: the C library then asks with clone.
  { calls: ['clone3'], errno: ENOSYS },
  { calls: ['prctl'], when: [{ arg: 0, is: [PR_SET_NAME] }] },
];

/** What is open may be used: nothing here opens, names or connects. */
const descriptors: Rule[] = [
  { calls: ['read', 'write', 'readv', 'writev', 'close', 'close_range', 'dup', 'lseek', 'fstat'] },
  { calls: ['pread64', 'pwrite64', 'preadv2', 'pwritev2', 'fsync', 'fdatasync', 'ftruncate'] },
  { calls: ['sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'shutdown', 'accept4'] },
  { calls: ['getsockname', 'getpeername', 'getsockopt'] },
  // SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_LINGER, SO_RCVLOWAT
  {
    calls: ['setsockopt'],
    when: [
      { arg: 1, is: [SOL_SOCKET] },
      { arg: 2, is: [2, 7, 8, 9, 10, 13, 18] },
    ],
  },
  {
    calls: ['setsockopt'],
    when: [
      { arg: 1, is: [IPPROTO_TCP] },
      { arg: 2, is: [1] },
    ],
  }, // TCP_NODELAY
  { calls: ['fcntl'], when: [{ arg: 1, is: fcntlCommands }] },
  { calls: ['ioctl'], when: [{ arg: 1, is: ioctls }] },
  { calls: ['newfstatat'], when: [{ arg: 3, is: [AT_EMPTY_PATH] }] },
  { calls: ['statx'], when: [{ arg: 2, has: AT_EMPTY_PATH }] },
  // An address to send: a pair of sockets that are connected to each other.
  {
    calls: ['socketpair'],
    when: [
      { arg: 0, is: [AF_UNIX] },
      { arg: 1, is: [SOCK_SEQPACKET, SOCK_SEQPACKET | SOCK_FLAGS] },
    ],
  },
];

/** To compute, and to use what is open. @param jitless  no memory becomes executable any more */
export const computeProfile = (jitless: boolean): Rule[] => [...memory(!jitless), ...descriptors];

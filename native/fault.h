/* Fault injection for tests: see fault.c. */
#ifndef PERILUNE_FAULT_H
#define PERILUNE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault_call {
  FAULT_READ, FAULT_WRITE, FAULT_RECV, FAULT_SEND, FAULT_ACCEPT4, FAULT_CONNECT, FAULT_SOCKET,
  FAULT_BIND, FAULT_LISTEN, FAULT_EPOLL_CTL, FAULT_PREADV2, FAULT_PIPE2, FAULT_DUP, FAULT_CLOSE,
  FAULT_RECVFROM, FAULT_SENDTO, FAULT_SETSOCKOPT, FAULT_GETSOCKOPT, FAULT_GETSOCKNAME,
  FAULT_GETPEERNAME, FAULT_SHUTDOWN, FAULT_GETADDRINFO, FAULT_GETNAMEINFO,
  FAULT_SOCKETPAIR, FAULT_RECVMSG, FAULT_SENDMSG, FAULT_OPENPTY, FAULT_PWRITEV2,
  FAULT_FLOCK, FAULT_URING, FAULT_OPENAT2, FAULT_FSTATAT, FAULT_GETDENTS64,
  FAULT_MKDIRAT, FAULT_UNLINKAT, FAULT_LINKAT, FAULT_RENAMEAT2, FAULT_SYMLINKAT, FAULT_FCHMODAT,
  FAULT_FCHOWNAT, FAULT_FSETXATTR, FAULT_COPY_FILE_RANGE,
  FAULT_CLONE, FAULT_EXECVE, FAULT_WAITID,
  FAULT_PIDFD_SEND_SIGNAL, FAULT_EVENTFD, FAULT_SIGACTION,
  FAULT_URING_ENTER, FAULT_URING_SEND, FAULT_URING_RESULT,
  FAULT_CALLS
};

extern _Thread_local int fault_armed; /* how many calls have a fault waiting */
bool fault_hit(enum fault_call call, int fd, size_t *length);

/* True: the call fails now, errno is set. May shorten *length (NULL: the call has none). Costs one
 * load and a branch while nothing is armed. */
static inline bool fault(enum fault_call call, int fd, size_t *length) {
  return __builtin_expect(fault_armed != 0, 0) && fault_hit(call, fd, length);
}

#endif

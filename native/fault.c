/* Fault injection: lets a test make the coming calls of one system call fail, or transfer less.
 * The state is the thread's own. Reached by test code only: no Lua value gets here. */
#include "fault.h"

#include <string.h>

#include "reactor.h"
#include "util.h"

static const char *const names[FAULT_CALLS] = {
  "read", "write", "recv", "send", "accept4", "connect", "socket",
  "bind", "listen", "epoll_ctl", "preadv2", "pipe2", "dup", "close",
  "recvfrom", "sendto", "setsockopt", "getsockopt", "getsockname",
  "getpeername", "shutdown", "getaddrinfo", "getnameinfo",
  "socketpair", "recvmsg", "sendmsg", "openpty", "pwritev2",
  "flock", "io_uring_setup", "openat2", "fstatat", "getdents64",
  "mkdirat", "unlinkat", "linkat", "renameat2", "symlinkat", "fchmodat",
  "fchownat", "fsetxattr", "copy_file_range",
  "clone", "execve", "waitid",
  "pidfd_send_signal", "eventfd", "sigaction",
  "io_uring_enter", "io_uring_send", "io_uring",
};

_Thread_local int fault_armed = 0;
static _Thread_local struct {
  int error;  /* errno to fail with, or 0: only shorten */
  int limit;  /* most bytes to transfer, or -1 */
  int skip;   /* calls that still go through unharmed */
  int times;  /* calls that are hit after those */
} faults[FAULT_CALLS];

bool fault_hit(enum fault_call call, int fd, size_t *length) {
  if (faults[call].times == 0) return false;
  if (faults[call].skip > 0) {
    faults[call].skip--;
    return false;
  }
  if (--faults[call].times == 0) fault_armed--;
  bool shortened = faults[call].limit >= 0 && length && *length > (size_t)faults[call].limit;
  if (shortened) *length = (size_t)faults[call].limit;
  /* What follows a real EAGAIN or a real short transfer, sooner or later: another edge. */
  if (shortened || faults[call].error == EAGAIN) reactor_rearm(fd);
  if (faults[call].error == 0) return false;
  errno = faults[call].error;
  return true;
}

/* inject_fault(call: string, errno: int32 or 0, limit: int32 or -1, skip: int32, times: int32)
 * -> how many hits the fault before this one had left, or -EINVAL for an unknown call. times = 0 disarms. */
napi_value sys_inject_fault(napi_env env, napi_callback_info info) {
  napi_value args[5];
  char name[32] = "";
  int32_t number[4];
  if (!take_args(env, info, args, 5)) return NULL;
  napi_get_value_string_latin1(env, args[0], name, sizeof name, NULL);
  for (int i = 0; i < 4; i++)
    if (!take_int32(env, args[i + 1], &number[i])) return NULL;
  for (int call = 0; call < FAULT_CALLS; call++) {
    if (strcmp(names[call], name) != 0) continue;
    const int32_t left = faults[call].times;
    fault_armed += (number[3] > 0) - (left > 0);
    faults[call].error = number[0];
    faults[call].limit = number[1];
    faults[call].skip = number[2];
    faults[call].times = number[3];
    return give_int32(env, left);
  }
  return give_int32(env, -EINVAL);
}

/* Calls that work on any file descriptor. All new ones are O_CLOEXEC. */
#include "util.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/kcmp.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#endif

#include "close.h"
#include "fault.h"
#ifdef __linux__
#include "transfer.h"
#endif

/* read(fd, bytes: Uint8Array, offset, length) -> bytes read, 0 at the end, or -errno.  read(2) */
napi_value sys_read(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  if (fault(FAULT_READ, fd, &length)) return give_quickly(-1);
  return give_quickly(read(fd, bytes, length));
}

/* write(fd, bytes: Uint8Array, offset, length) -> bytes written or -errno.  write(2) */
napi_value sys_write(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  if (fault(FAULT_WRITE, fd, &length)) return give_quickly(-1);
  return give_quickly(write(fd, bytes, length));
}

#ifdef __linux__
/* preadv2_nowait(fd, bytes, offset, length) -> bytes read at the file position and without waiting
 * for a disk, or -errno (EAGAIN: not in memory; EOPNOTSUPP: this file can't tell).  preadv2(2) */
napi_value sys_preadv2_nowait(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  if (fault(FAULT_PREADV2, fd, &length)) return give_result(env, -1);
  struct iovec part = {bytes, length};
  return give_result(env, preadv2(fd, &part, 1, -1, RWF_NOWAIT));
}
#endif

static int close_by(int fd, int (*way)(int)) {
  const int result = way(fd);
  return result == 0 && fault(FAULT_CLOSE, fd, NULL) ? -1 : result;
}

/* close(fd) -> 0 or -errno; the descriptor is gone either way on Linux.  close(2) */
napi_value sys_close(napi_env env, napi_callback_info info) {
  int32_t fd;
  return take_int32s(env, info, &fd, 1) ? give_quickly(close_by(fd, close)) : NULL;
}

/* With seconds in SO_LINGER, close(2) of the last reference waits as long for a peer that reads nothing, and so does the
 * thread: also of a socket that doesn't block. What is left is sent either way. */
int close_at_once(int fd) {
  struct linger linger = {0, 0};
  socklen_t size = sizeof linger;
#ifdef __linux__
  if (transfers_stopped()) return close(fd); /* perhaps a filter ends the process for another call */
#endif
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff &&
      linger.l_linger != 0) {
    linger.l_onoff = 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  }
  return close(fd);
}

/* close_at_once(fd) -> as close, without waiting for what a socket has to send yet.  socket(7), SO_LINGER */
napi_value sys_close_at_once(napi_env env, napi_callback_info info) {
  int32_t fd;
  return take_int32s(env, info, &fd, 1) ? give_result(env, close_by(fd, close_at_once)) : NULL;
}

/* dup(fd, lowest) -> new fd >= lowest or -errno.  fcntl(2), F_DUPFD_CLOEXEC */
napi_value sys_dup(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (fault(FAULT_DUP, arg[0], NULL)) return give_result(env, -1);
  return give_result(env, fcntl(arg[0], F_DUPFD_CLOEXEC, arg[1]));
}

/* dup2(fd, number) -> number, which is the same file from now on and stays open in programs that are
 * executed; or -errno.  dup2(2) */
napi_value sys_dup2(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, dup2(arg[0], arg[1]));
}

/* get_status_flags(fd) -> O_ flags or -errno.  fcntl(2), F_GETFL */
napi_value sys_get_status_flags(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, fcntl(fd, F_GETFL));
}

/* set_status_flags(fd, flags) -> 0 or -errno.  fcntl(2), F_SETFL */
napi_value sys_set_status_flags(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, fcntl(arg[0], F_SETFL, arg[1]));
}

/* set_close_on_exec(fd, on) -> 0 or -errno.  fcntl(2), F_SETFD */
napi_value sys_set_close_on_exec(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, fcntl(arg[0], F_SETFD, arg[1] ? FD_CLOEXEC : 0));
}

/* pipe2(ends: Int32Array(2), flags) -> 0 with [read end, write end], or -errno.  pipe(2) */
napi_value sys_pipe2(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t flags;
  void *ends = NULL;
  size_t count = 0;
  napi_typedarray_type type;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[1], &flags)) return NULL;
  if (napi_get_typedarray_info(env, args[0], &type, &count, &ends, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count < 2) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array(2) was expected");
    return NULL;
  }
  if (fault(FAULT_PIPE2, -1, NULL)) return give_result(env, -1);
  return give_result(env, pipe2(ends, flags | O_CLOEXEC));
}

/* isatty(fd) -> 1 or -errno (ENOTTY, EBADF).  isatty(3) */
napi_value sys_isatty(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, isatty(fd) ? 1 : -1);
}

/* poll(fd, events, milliseconds) -> revents (0: none in time) or -errno.  poll(2) */
napi_value sys_poll(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  struct pollfd one = {arg[0], (short)arg[1], 0};
  int count = poll(&one, 1, arg[2]);
  return give_result(env, count > 0 ? one.revents : count);
}

/* bytes_readable(fd) -> bytes that a read would get now, or -errno.  ioctl(2), FIONREAD */
napi_value sys_bytes_readable(napi_env env, napi_callback_info info) {
  int32_t fd;
  int count = 0;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, ioctl(fd, FIONREAD, &count) < 0 ? -1 : count);
}

/* unsent(fd) -> bytes that a local socket has sent and nobody has received yet, with some for the keeping of them, or
 * -errno.  unix(7), SIOCOUTQ */
napi_value sys_unsent(napi_env env, napi_callback_info info) {
  int32_t fd;
  int count = 0;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, ioctl(fd, TIOCOUTQ, &count) < 0 ? -1 : count);
}

/* ignore_signal(signal) -> 0 or -errno.  signal(2), SIG_IGN */
napi_value sys_ignore_signal(napi_env env, napi_callback_info info) {
  int32_t number;
  if (!take_int32s(env, info, &number, 1)) return NULL;
  return give_result(env, signal(number, SIG_IGN) == SIG_ERR ? -1 : 0);
}

#ifdef __linux__
/* eventfd() -> a descriptor that never blocks; edge-triggered, each write to it is an event; or -errno.
 * eventfd(2) */
napi_value sys_eventfd(napi_env env, napi_callback_info info) {
  (void)info;
  if (fault(FAULT_EVENTFD, -1, NULL)) return give_result(env, -1);
  return give_result(env, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* kcmp_file(fd, fd) -> 0 (same open file description), 1, 2 (order), 3, or -errno.  kcmp(2) */
napi_value sys_kcmp_file(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  pid_t self = getpid();
  return give_result(env, syscall(SYS_kcmp, self, self, KCMP_FILE, arg[0], arg[1]));
}
#endif

/* Files with a position: transfers that never wait for a disk, lseek(2), flock(2). Positions are
 * doubles: whole numbers, exact up to 2^53. */
#include "util.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"
#include "libc-service/client.h"

static bool take_double(napi_env env, napi_value value, double *out) {
  if (napi_get_value_double(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "perilune addon: a number was expected");
  return false;
}

static bool take_transfer(napi_env env, napi_callback_info info, int32_t *fd, struct iovec *part,
                          off_t *position) {
  napi_value args[5];
  int32_t offset, count;
  double at;
  uint8_t *bytes;
  if (!take_args(env, info, args, 5) || !take_int32(env, args[0], fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_double(env, args[4], &at) || !take_bytes(env, args[1], offset, count, &bytes))
    return false;
  *part = (struct iovec){bytes, (size_t)count};
  *position = (off_t)at;
  return true;
}

/* pread_nowait(fd, bytes, offset, length, position, or -1: the file's own) -> bytes read, 0 at the
 * end, or -errno (EAGAIN: not in memory; EOPNOTSUPP: this file can't tell).  preadv2(2), RWF_NOWAIT */
napi_value sys_pread_nowait(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct iovec part;
  off_t position;
  if (!take_transfer(env, info, &fd, &part, &position)) return NULL;
  if (fault(FAULT_PREADV2, fd, &part.iov_len)) return give_quickly(-1);
  return give_quickly(preadv2(fd, &part, 1, position, RWF_NOWAIT));
}

/* pwrite_nowait(fd, bytes, offset, length, position, or -1: the file's own) -> bytes written, or
 * -errno (EAGAIN: it would wait; EOPNOTSUPP: this file can't tell).  pwritev2(2), RWF_NOWAIT */
napi_value sys_pwrite_nowait(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct iovec part;
  off_t position;
  if (!take_transfer(env, info, &fd, &part, &position)) return NULL;
  if (fault(FAULT_PWRITEV2, fd, &part.iov_len)) return give_quickly(-1);
  return give_quickly(pwritev2(fd, &part, 1, position, RWF_NOWAIT));
}

/* lseek(fd, offset, whence) -> position, or -errno.  lseek(2) */
napi_value sys_lseek(napi_env env, napi_callback_info info) {
  napi_value args[3], result = NULL;
  int32_t fd, whence;
  double offset;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) ||
      !take_double(env, args[1], &offset) || !take_int32(env, args[2], &whence))
    return NULL;
  off_t position = lseek(fd, (off_t)offset, whence);
  napi_create_double(env, position < 0 ? -errno : (double)position, &result);
  return result;
}

/* flock(fd, operation) -> 0 or -errno. Give LOCK_NB: it would hold up the thread.  flock(2) */
napi_value sys_flock(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (fault(FAULT_FLOCK, arg[0], NULL)) return give_result(env, -1);
  return give_result(env, flock(arg[0], arg[1]));
}

/* openat2(directory fd or -100, path: string of bytes, flags, mode, resolve) -> fd, close-on-exec, or
 * -errno (ENOSYS before Linux 5.6).  openat2(2) */
napi_value sys_openat2(napi_env env, napi_callback_info info) {
  napi_value args[5];
  int32_t fd, flags, mode, resolve;
  char path[4097]; /* PATH_MAX, and one more: longer ones are told from those */
  size_t length = 0;
  if (!take_args(env, info, args, 5) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &flags) || !take_int32(env, args[3], &mode) ||
      !take_int32(env, args[4], &resolve))
    return NULL;
  if (napi_get_value_string_latin1(env, args[1], path, sizeof path, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: a string was expected");
    return NULL;
  }
  if (strlen(path) != length) return give_int32(env, -EINVAL);
  if (fault(FAULT_OPENAT2, fd, NULL)) return give_result(env, -1);
  if (service_is_on())
    return give_result(env, service_openat(fd, path, flags | O_CLOEXEC, (mode_t)mode, (uint32_t)resolve));
  struct open_how how = {
    .flags = (uint32_t)flags | O_CLOEXEC,
    .mode = (uint32_t)mode,
    .resolve = (uint32_t)resolve,
  };
  long result = syscall(SYS_openat2, fd, path, &how, sizeof how);
  if (result < 0 && errno == ENOSYS && resolve == 0)
    result = openat(fd, path, (int)how.flags, (mode_t)mode);
  return give_result(env, result);
}

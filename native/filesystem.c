/* Names on the disk: the *at calls, which take a directory as descriptor and a name in it; what files are;
 * directories; copies inside the kernel. A path is a string of bytes, -100 (AT_FDCWD) stands for the
 * working directory. */
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fault.h"
#include "libc-service/client.h"

enum { PATH_SIZE = PATH_MAX + 1 };

/* One more byte than the kernel takes: a path that is cut off is too long for it as well. */
struct path {
  char bytes[PATH_SIZE];
};

/* A string of bytes; one with a NUL becomes `error` EINVAL, which the caller has to look at. */
static bool take_path(napi_env env, napi_value value, struct path *out, int *error) {
  size_t length = 0;
  if (napi_get_value_string_latin1(env, value, out->bytes, PATH_SIZE, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: a string was expected");
    return false;
  }
  if (memchr(out->bytes, 0, length)) *error = EINVAL;
  return true;
}

static bool take_double(napi_env env, napi_value value, double *out) {
  if (napi_get_value_double(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "perilune addon: a number was expected");
  return false;
}

/* (directory, path, numbers …) */
struct place {
  int32_t directory;
  struct path path;
  int32_t number[4];
  int error;
};

static bool take_place(napi_env env, napi_callback_info info, struct place *out, size_t numbers) {
  napi_value args[MAX_ARGS];
  out->error = 0;
  if (!take_args(env, info, args, 2 + numbers) || !take_int32(env, args[0], &out->directory) ||
      !take_path(env, args[1], &out->path, &out->error))
    return false;
  for (size_t i = 0; i < numbers; i++)
    if (!take_int32(env, args[2 + i], &out->number[i])) return false;
  return true;
}

/* Exactly one argument, a path. */
static bool take_only_path(napi_env env, napi_callback_info info, struct path *out, int *error) {
  napi_value arg;
  *error = 0;
  return take_args(env, info, &arg, 1) && take_path(env, arg, out, error);
}

/* The call's result, unless the path was no path or a test wants it to fail. */
#define GIVE(p, call, expression)                                  \
  do {                                                             \
    if ((p).error != 0) return give_int32(env, -(p).error);        \
    if (fault(call, -1, NULL)) return give_result(env, -1);        \
    return give_result(env, (expression));                         \
  } while (0)

/* ── what a file is ──────────────────────────────────────────────────────────────────────────── */

enum { STAT_NUMBERS = 16 };

static void pack_stat(const struct stat *s, double *out) {
  const double numbers[STAT_NUMBERS] = {
    (double)s->st_dev,
    (double)(s->st_ino >> 32),
    (double)(s->st_ino & 0xffffffff),
    s->st_mode,
    (double)s->st_nlink,
    s->st_uid,
    s->st_gid,
    (double)s->st_rdev,
    (double)s->st_size,
    (double)s->st_blocks,
    (double)s->st_mtim.tv_sec,
    (double)s->st_mtim.tv_nsec,
    (double)s->st_atim.tv_sec,
    (double)s->st_atim.tv_nsec,
    (double)s->st_ctim.tv_sec,
    (double)s->st_ctim.tv_nsec,
  };
  memcpy(out, numbers, sizeof numbers);
}

/* What a descriptor is of, by the call that takes no path: glibc's fstat(3) gives an empty one to newfstatat(2),
 * which sandboxes refuse. On these machines its struct is the kernel's. */
static int status_of(int fd, struct stat *s) {
#if defined __x86_64__ || defined __aarch64__
  return (int)syscall(SYS_fstat, fd, s);
#else
  return fstat(fd, s);
#endif
}

/* fstatat(directory, path, flags, out: Float64Array(16)) -> 0 or -errno.  fstatat(2), fstat(2) */
napi_value sys_fstatat(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t directory, flags;
  struct path path;
  int error = 0;
  uint8_t *out;
  struct stat s;
  if (!take_args(env, info, args, 4) || !take_int32(env, args[0], &directory) ||
      !take_path(env, args[1], &path, &error) || !take_int32(env, args[2], &flags) ||
      !take_bytes(env, args[3], 0, STAT_NUMBERS, &out))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  if (fault(FAULT_FSTATAT, -1, NULL)) return give_result(env, -1);
  bool is_open = flags == AT_EMPTY_PATH && path.bytes[0] == 0;
  int result = is_open ? status_of(directory, &s) : service_fstatat(directory, path.bytes, &s, flags);
  if (result == 0) pack_stat(&s, (double *)out);
  return give_result(env, result);
}

/* statfs(path, out: Float64Array(4): block size, blocks, free ones, ones for everybody) -> 0 or -errno.
 * statfs(2) */
napi_value sys_statfs(napi_env env, napi_callback_info info) {
  napi_value args[2];
  struct path path;
  int error = 0;
  uint8_t *out;
  struct statfs s;
  if (!take_args(env, info, args, 2) || !take_path(env, args[0], &path, &error) ||
      !take_bytes(env, args[1], 0, 4, &out))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  int result = statfs(path.bytes, &s);
  if (result == 0) {
    long size = s.f_frsize ? s.f_frsize : s.f_bsize;
    const double numbers[4] = {(double)size, (double)s.f_blocks, (double)s.f_bfree,
                               (double)s.f_bavail};
    memcpy(out, numbers, sizeof numbers);
  }
  return give_result(env, result);
}

/* fstatfs_type(fd) -> the magic number of its file system, or -errno.  fstatfs(2) */
napi_value sys_fstatfs_type(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int32_t fd;
  struct statfs s;
  if (!take_args(env, info, args, 1) || !take_int32(env, args[0], &fd)) return NULL;
  if (fstatfs(fd, &s) < 0) return give_result(env, -1);
  napi_value type = NULL;
  napi_create_int64(env, (uint32_t)s.f_type, &type);
  return type;
}

/* seek_directory(fd, high, low) -> 0 or -errno: go on where an earlier list of it stopped. The halves of d_off, all of
 * whose bits count.  getdents(2) */
napi_value sys_seek_directory(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  uint64_t position = (uint64_t)(uint32_t)arg[1] << 32 | (uint32_t)arg[2];
  return give_result(env, lseek(arg[0], (off_t)position, SEEK_SET) < 0 ? -1 : 0);
}

/* getdents64(fd, bytes) -> length of the records in `bytes`, 0 at the end, or -errno.  getdents(2) */
napi_value sys_getdents64(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, length;
  uint8_t *bytes;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &length) || !take_bytes(env, args[1], 0, length, &bytes))
    return NULL;
  if (fault(FAULT_GETDENTS64, -1, NULL)) return give_result(env, -1);
  return give_result(env, syscall(SYS_getdents64, fd, bytes, (size_t)length));
}

/* ── paths as text ───────────────────────────────────────────────────────────────────────────── */

static napi_value give_string(napi_env env, const char *bytes, size_t length) {
  napi_value value = NULL;
  napi_create_string_latin1(env, bytes, length, &value);
  return value;
}

/* readlinkat(directory, path) -> string, or -errno.  readlink(2) */
napi_value sys_readlinkat(napi_env env, napi_callback_info info) {
  struct place p;
  char text[PATH_SIZE];
  if (!take_place(env, info, &p, 0)) return NULL;
  if (p.error != 0) return give_int32(env, -p.error);
  ssize_t length = readlinkat(p.directory, p.path.bytes, text, sizeof text);
  if (length < 0) return give_result(env, -1);
  return give_string(env, text, (size_t)length);
}

/* realpath(path) -> string, or -errno.  realpath(3) */
napi_value sys_realpath(napi_env env, napi_callback_info info) {
  struct path path;
  int error;
  if (!take_only_path(env, info, &path, &error)) return NULL;
  if (error != 0) return give_int32(env, -error);
  char *text = realpath(path.bytes, NULL);
  if (!text) return give_result(env, -1);
  napi_value value = give_string(env, text, strlen(text));
  free(text);
  return value;
}

/* getcwd() -> string, or -errno.  getcwd(3) */
napi_value sys_getcwd(napi_env env, napi_callback_info info) {
  (void)info;
  char *text = getcwd(NULL, 0);
  if (!text) return give_result(env, -1);
  napi_value value = give_string(env, text, strlen(text));
  free(text);
  return value;
}

/* fchdir(fd) -> 0 or -errno: the whole process.  chdir(2) */
napi_value sys_fchdir(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, fchdir(fd));
}

/* chroot(path) -> 0 or -errno: the whole process.  chroot(2) */
napi_value sys_chroot(napi_env env, napi_callback_info info) {
  struct path path;
  int error;
  if (!take_only_path(env, info, &path, &error)) return NULL;
  if (error != 0) return give_int32(env, -error);
  return give_result(env, chroot(path.bytes));
}

/* ── making and taking away ──────────────────────────────────────────────────────────────────── */

/* mkdirat(directory, path, mode) -> 0 or -errno.  mkdir(2) */
napi_value sys_mkdirat(napi_env env, napi_callback_info info) {
  struct place p;
  if (!take_place(env, info, &p, 1)) return NULL;
  GIVE(p, FAULT_MKDIRAT, service_mkdirat(p.directory, p.path.bytes, (mode_t)p.number[0]));
}

/* mknodat(directory, path, mode, device: double) -> 0 or -errno.  mknod(2) */
napi_value sys_mknodat(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t directory, mode;
  struct path path;
  int error = 0;
  double device;
  if (!take_args(env, info, args, 4) || !take_int32(env, args[0], &directory) ||
      !take_path(env, args[1], &path, &error) || !take_int32(env, args[2], &mode) ||
      !take_double(env, args[3], &device))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  return give_result(env, mknodat(directory, path.bytes, (mode_t)mode, (dev_t)device));
}

/* unlinkat(directory, path, flags) -> 0 or -errno.  unlink(2) */
napi_value sys_unlinkat(napi_env env, napi_callback_info info) {
  struct place p;
  if (!take_place(env, info, &p, 1)) return NULL;
  GIVE(p, FAULT_UNLINKAT, service_unlinkat(p.directory, p.path.bytes, p.number[0]));
}

/* (directory, path, directory, path, flags) */
struct two_places {
  int32_t from_directory, to_directory, flags;
  struct path from, to;
  int error;
};

static bool take_two(napi_env env, napi_callback_info info, struct two_places *out) {
  napi_value args[5];
  out->error = 0;
  return take_args(env, info, args, 5) && take_int32(env, args[0], &out->from_directory) &&
         take_path(env, args[1], &out->from, &out->error) &&
         take_int32(env, args[2], &out->to_directory) &&
         take_path(env, args[3], &out->to, &out->error) && take_int32(env, args[4], &out->flags);
}

/* linkat(directory, path, new directory, new path, flags) -> 0 or -errno.  link(2) */
napi_value sys_linkat(napi_env env, napi_callback_info info) {
  struct two_places p;
  if (!take_two(env, info, &p)) return NULL;
  GIVE(p, FAULT_LINKAT,
       linkat(p.from_directory, p.from.bytes, p.to_directory, p.to.bytes, p.flags));
}

/* renameat2(directory, path, new directory, new path, flags) -> 0 or -errno.  rename(2) */
napi_value sys_renameat2(napi_env env, napi_callback_info info) {
  struct two_places p;
  if (!take_two(env, info, &p)) return NULL;
  GIVE(p, FAULT_RENAMEAT2,
       service_renameat2(p.from_directory, p.from.bytes, p.to_directory, p.to.bytes, (unsigned)p.flags));
}

/* symlinkat(text, directory, path) -> 0 or -errno.  symlink(2) */
napi_value sys_symlinkat(napi_env env, napi_callback_info info) {
  napi_value args[3];
  struct path target, path;
  int32_t directory;
  int error = 0;
  if (!take_args(env, info, args, 3) || !take_path(env, args[0], &target, &error) ||
      !take_int32(env, args[1], &directory) || !take_path(env, args[2], &path, &error))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  if (fault(FAULT_SYMLINKAT, -1, NULL)) return give_result(env, -1);
  return give_result(env, symlinkat(target.bytes, directory, path.bytes));
}

/* ── attributes ──────────────────────────────────────────────────────────────────────────────── */

/* fchmodat(directory, path, mode, flags) -> 0 or -errno.  chmod(2) */
napi_value sys_fchmodat(napi_env env, napi_callback_info info) {
  struct place p;
  if (!take_place(env, info, &p, 2)) return NULL;
  GIVE(p, FAULT_FCHMODAT,
       fchmodat(p.directory, p.path.bytes, (mode_t)p.number[0], p.number[1]));
}

/* fchmod(fd, mode) -> 0 or -errno.  chmod(2) */
napi_value sys_fchmod(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, fchmod(arg[0], (mode_t)arg[1]));
}

/* umask(mask) -> the one before, or -errno of a filter of system calls.  umask(2) */
napi_value sys_umask(napi_env env, napi_callback_info info) {
  int32_t mask;
  if (!take_int32s(env, info, &mask, 1)) return NULL;
  return give_result(env, syscall(SYS_umask, mask));
}

/* fchownat(directory, path, owner, group, flags) -> 0 or -errno; -1 leaves one as it is.  chown(2) */
napi_value sys_fchownat(napi_env env, napi_callback_info info) {
  struct place p;
  if (!take_place(env, info, &p, 3)) return NULL;
  GIVE(p, FAULT_FCHOWNAT,
       fchownat(p.directory, p.path.bytes, (uid_t)p.number[0], (gid_t)p.number[1], p.number[2]));
}

/* utimensat(directory, path, times: Float64Array(4): access, modification, each seconds and nanoseconds;
 * -1 nanoseconds leaves one as it is; flags) -> 0 or -errno. No path: the descriptor's own.
 * utimensat(2) */
napi_value sys_utimensat(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t directory, flags;
  struct path path;
  int error = 0;
  uint8_t *bytes;
  if (!take_args(env, info, args, 4) || !take_int32(env, args[0], &directory) ||
      !take_path(env, args[1], &path, &error) || !take_bytes(env, args[2], 0, 4, &bytes) ||
      !take_int32(env, args[3], &flags))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  double t[4];
  memcpy(t, bytes, sizeof t);
  struct timespec times[2];
  for (int i = 0; i < 2; i++) {
    times[i].tv_sec = (time_t)t[2 * i];
    times[i].tv_nsec = t[2 * i + 1] < 0 ? UTIME_OMIT : (long)t[2 * i + 1];
  }
  const char *name = path.bytes[0] ? path.bytes : NULL;
  return give_result(env, name ? utimensat(directory, name, times, flags)
                               : futimens(directory, times));
}

/* truncate(path, length) -> 0 or -errno.  truncate(2) */
napi_value sys_truncate(napi_env env, napi_callback_info info) {
  napi_value args[2];
  struct path path;
  int error = 0;
  double length;
  if (!take_args(env, info, args, 2) || !take_path(env, args[0], &path, &error) ||
      !take_double(env, args[1], &length))
    return NULL;
  if (error != 0) return give_int32(env, -error);
  return give_result(env, truncate(path.bytes, (off_t)length));
}

/* ftruncate(fd, length) -> 0 or -errno.  truncate(2) */
napi_value sys_ftruncate(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  double length;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd) ||
      !take_double(env, args[1], &length))
    return NULL;
  return give_result(env, ftruncate(fd, (off_t)length));
}

/* ── extended attributes ─────────────────────────────────────────────────────────────────────── */

/* flistxattr(fd, bytes, length) -> length of the names, each with its NUL, or -errno (ERANGE: no
 * room).  listxattr(2) */
napi_value sys_flistxattr(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, length;
  uint8_t *bytes;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &length) || !take_bytes(env, args[1], 0, length, &bytes))
    return NULL;
  return give_result(env, flistxattr(fd, (char *)bytes, (size_t)length));
}

/* (fd or path, name, bytes, length) */
struct attribute {
  int32_t fd;
  struct path path, name;
  uint8_t *bytes;
  size_t length;
  int error;
};

static bool take_attribute(napi_env env, napi_callback_info info, bool by_path,
                           struct attribute *out) {
  napi_value args[4];
  int32_t length;
  out->error = 0;
  if (!take_args(env, info, args, 4) ||
      !(by_path ? take_path(env, args[0], &out->path, &out->error)
                : take_int32(env, args[0], &out->fd)) ||
      !take_path(env, args[1], &out->name, &out->error) || !take_int32(env, args[3], &length) ||
      !take_bytes(env, args[2], 0, length, &out->bytes))
    return false;
  out->length = (size_t)length;
  return true;
}

/* fgetxattr(fd, name, bytes, length) -> length of the value, or -errno (ERANGE: no room, ENODATA).
 * getxattr(2) */
napi_value sys_fgetxattr(napi_env env, napi_callback_info info) {
  struct attribute a;
  if (!take_attribute(env, info, false, &a)) return NULL;
  if (a.error != 0) return give_int32(env, -a.error);
  return give_result(env, fgetxattr(a.fd, a.name.bytes, a.bytes, a.length));
}

/* fsetxattr(fd, name, bytes, length) -> 0 or -errno.  setxattr(2) */
napi_value sys_fsetxattr(napi_env env, napi_callback_info info) {
  struct attribute a;
  if (!take_attribute(env, info, false, &a)) return NULL;
  GIVE(a, FAULT_FSETXATTR, fsetxattr(a.fd, a.name.bytes, a.bytes, a.length, 0));
}

/* getxattr(path, name, bytes, length) -> as fgetxattr; follows links.  getxattr(2) */
napi_value sys_getxattr(napi_env env, napi_callback_info info) {
  struct attribute a;
  if (!take_attribute(env, info, true, &a)) return NULL;
  if (a.error != 0) return give_int32(env, -a.error);
  return give_result(env, getxattr(a.path.bytes, a.name.bytes, a.bytes, a.length));
}

/* setxattr(path, name, bytes, length) -> 0 or -errno; follows links.  setxattr(2) */
napi_value sys_setxattr(napi_env env, napi_callback_info info) {
  struct attribute a;
  if (!take_attribute(env, info, true, &a)) return NULL;
  if (a.error != 0) return give_int32(env, -a.error);
  return give_result(env, setxattr(a.path.bytes, a.name.bytes, a.bytes, a.length, 0));
}

/* ── contents ────────────────────────────────────────────────────────────────────────────────── */

/* ficlone(to, from) -> 0: they share their blocks now, or -errno (EOPNOTSUPP, EXDEV, EINVAL …: this
 * file system can't).  ioctl_ficlonerange(2) */
napi_value sys_ficlone(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, ioctl(arg[0], FICLONE, arg[1]));
}

/* copy_file_range(from, to, length), at both files' positions -> bytes copied, 0 at the end, or
 * -errno (EXDEV, EINVAL, EOPNOTSUPP …: not between these).  copy_file_range(2) */
napi_value sys_copy_file_range(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  if (arg[2] < 0) return give_int32(env, -EINVAL);
  size_t length = (size_t)arg[2];
  if (fault(FAULT_COPY_FILE_RANGE, -1, &length)) return give_result(env, -1);
  return give_result(env, copy_file_range(arg[0], NULL, arg[1], NULL, length, 0));
}

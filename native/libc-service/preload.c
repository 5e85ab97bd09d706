/* build/Release/libc_service.so: what LD_PRELOAD puts before the C library of any dynamic program. Its functions ask the master
 * behind the first socket of a service among descriptors 3 to 9; where there is none they are the C library's.
 *
 * A name is here for each that programs call: the C library's own calls of open(2) and the like don't come by here, so that
 * what is made of them (fopen, opendir, remove) has to be made again. */
/* Both names of each function are wanted: this would make one of open and open64. */
#undef _FILE_OFFSET_BITS
#include "client.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* Two names of one function, where `long` and off_t have 64 bits. */
#define ALSO(name, of) EXPORT extern __typeof__(of) name __attribute__((alias(#of)))

enum { FIRST = 3, LAST = 9 };

int service_real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                             struct addrinfo **list) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
  return next ? next(node, service, hints, list) : EAI_FAIL;
}

/* Before main, or when the start of another library calls one of these. */
__attribute__((constructor)) static void prepare(void) {
  static atomic_bool done;
  if (atomic_exchange(&done, true)) return;
  int error = errno;
  for (int fd = FIRST; fd <= LAST && !service_is_on(); fd++) service_begin(fd);
  errno = error;
}

/* ── opening ─────────────────────────────────────────────────────────────────────────────────────── */

static bool makes(int flags) { return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE; }

static int open_with(int directory, const char *path, int flags, va_list more) {
  mode_t mode = makes(flags) ? va_arg(more, mode_t) : 0;
  prepare();
  return service_openat(directory, path, flags, mode, 0);
}

EXPORT int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int result = open_with(AT_FDCWD, path, flags, more);
  va_end(more);
  return result;
}
ALSO(open64, open);

EXPORT int openat(int directory, const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int result = open_with(directory, path, flags, more);
  va_end(more);
  return result;
}
ALSO(openat64, openat);

EXPORT int creat(const char *path, mode_t mode) {
  return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
ALSO(creat64, creat);

/* What _FORTIFY_SOURCE makes of calls without a mode. */
int __open_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
EXPORT int __open_2(const char *path, int flags) { return open(path, flags); }
EXPORT int __openat_2(int directory, const char *path, int flags) { return openat(directory, path, flags); }
int __open64_2(const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ALSO(__open64_2, __open_2);
ALSO(__openat64_2, __openat_2);

/* -1: this is no mode. fopen(3) */
static int flags_of(const char *mode) {
  int flags;
  switch (mode[0]) {
    case 'r': flags = O_RDONLY; break;
    case 'w': flags = O_WRONLY | O_CREAT | O_TRUNC; break;
    case 'a': flags = O_WRONLY | O_CREAT | O_APPEND; break;
    default: return -1;
  }
  for (const char *c = mode + 1; *c && *c != ','; c++) {
    if (*c == '+') flags = (flags & ~O_ACCMODE) | O_RDWR;
    if (*c == 'x') flags |= O_EXCL;
    if (*c == 'e') flags |= O_CLOEXEC;
  }
  return flags;
}

EXPORT FILE *fopen(const char *path, const char *mode) {
  int flags = flags_of(mode);
  if (flags < 0) {
    errno = EINVAL;
    return NULL;
  }
  int fd = open(path, flags, 0666);
  FILE *file = fd < 0 ? NULL : fdopen(fd, mode);
  if (fd >= 0 && !file) {
    int error = errno;
    close(fd);
    errno = error;
  }
  return file;
}
ALSO(fopen64, fopen);

EXPORT DIR *opendir(const char *path) {
  if (path[0] == 0) {
    errno = ENOENT;
    return NULL;
  }
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (fd >= 0 && !directory) {
    int error = errno;
    close(fd);
    errno = error;
  }
  return directory;
}

/* ── names ───────────────────────────────────────────────────────────────────────────────────────── */

EXPORT int unlinkat(int directory, const char *path, int flags) {
  prepare();
  return service_unlinkat(directory, path, flags);
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

EXPORT int remove(const char *path) {
  if (unlink(path) == 0) return 0;
  return errno == EISDIR ? rmdir(path) : -1;
}

EXPORT int renameat2(int from, const char *path, int to, const char *new_path, unsigned flags) {
  prepare();
  return service_renameat2(from, path, to, new_path, flags);
}
EXPORT int renameat(int from, const char *path, int to, const char *new_path) {
  return renameat2(from, path, to, new_path, 0);
}
EXPORT int rename(const char *path, const char *new_path) {
  return renameat2(AT_FDCWD, path, AT_FDCWD, new_path, 0);
}

EXPORT int mkdirat(int directory, const char *path, mode_t mode) {
  prepare();
  return service_mkdirat(directory, path, mode);
}
EXPORT int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

EXPORT int faccessat(int directory, const char *path, int mode, int flags) {
  prepare();
  return service_faccessat(directory, path, mode, flags);
}
EXPORT int access(const char *path, int mode) { return faccessat(AT_FDCWD, path, mode, 0); }
EXPORT int eaccess(const char *path, int mode) { return faccessat(AT_FDCWD, path, mode, AT_EACCESS); }
ALSO(euidaccess, eaccess);

/* ── what files are ──────────────────────────────────────────────────────────────────────────────── */

/* struct stat64 is the same here, which no declaration says. */
EXPORT int fstatat(int directory, const char *path, struct stat *about, int flags) {
  prepare();
  return service_fstatat(directory, path, about, flags);
}
EXPORT int fstatat64(int directory, const char *path, struct stat64 *about, int flags) {
  return fstatat(directory, path, (struct stat *)about, flags);
}
EXPORT int stat(const char *path, struct stat *about) { return fstatat(AT_FDCWD, path, about, 0); }
EXPORT int stat64(const char *path, struct stat64 *about) {
  return fstatat(AT_FDCWD, path, (struct stat *)about, 0);
}
EXPORT int lstat(const char *path, struct stat *about) {
  return fstatat(AT_FDCWD, path, about, AT_SYMLINK_NOFOLLOW);
}
EXPORT int lstat64(const char *path, struct stat64 *about) {
  return fstatat(AT_FDCWD, path, (struct stat *)about, AT_SYMLINK_NOFOLLOW);
}

/* Of programs that were linked before glibc 2.33. */
int __xstat(int version, const char *path, struct stat *about);
int __lxstat(int version, const char *path, struct stat *about);
int __fxstatat(int version, int directory, const char *path, struct stat *about, int flags);
int __xstat64(int version, const char *path, struct stat *about);
int __lxstat64(int version, const char *path, struct stat *about);
int __fxstatat64(int version, int directory, const char *path, struct stat *about, int flags);
EXPORT int __xstat(int version, const char *path, struct stat *about) {
  (void)version;
  return stat(path, about);
}
EXPORT int __lxstat(int version, const char *path, struct stat *about) {
  (void)version;
  return lstat(path, about);
}
EXPORT int __fxstatat(int version, int directory, const char *path, struct stat *about, int flags) {
  (void)version;
  return fstatat(directory, path, about, flags);
}
ALSO(__xstat64, __xstat);
ALSO(__lxstat64, __lxstat);
ALSO(__fxstatat64, __fxstatat);

static struct statx_timestamp time_of(struct timespec t) {
  return (struct statx_timestamp){.tv_sec = t.tv_sec, .tv_nsec = (uint32_t)t.tv_nsec};
}

EXPORT int statx(int directory, const char *path, int flags, unsigned mask, struct statx *out) {
  struct stat s;
  int result;
  prepare();
  /* A master knows less of a file than the kernel: who is left to himself gets all of it. */
  if (!service_status(directory, path, &s, flags, &result))
    return (int)syscall(SYS_statx, directory, path, flags, mask, out);
  if (result < 0) return -1;
  memset(out, 0, sizeof *out);
  out->stx_mask = STATX_BASIC_STATS;
  out->stx_blksize = (uint32_t)s.st_blksize;
  out->stx_nlink = (uint32_t)s.st_nlink;
  out->stx_uid = s.st_uid;
  out->stx_gid = s.st_gid;
  out->stx_mode = (uint16_t)s.st_mode;
  out->stx_ino = s.st_ino;
  out->stx_size = (uint64_t)s.st_size;
  out->stx_blocks = (uint64_t)s.st_blocks;
  out->stx_atime = time_of(s.st_atim);
  out->stx_mtime = time_of(s.st_mtim);
  out->stx_ctime = time_of(s.st_ctim);
  out->stx_rdev_major = major(s.st_rdev);
  out->stx_rdev_minor = minor(s.st_rdev);
  out->stx_dev_major = major(s.st_dev);
  out->stx_dev_minor = minor(s.st_dev);
  return 0;
}

/* ── the network ─────────────────────────────────────────────────────────────────────────────────── */

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t size) {
  prepare();
  return service_connect(fd, address, size);
}
EXPORT int bind(int fd, const struct sockaddr *address, socklen_t size) {
  prepare();
  return service_bind(fd, address, size);
}
EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list) {
  prepare();
  return service_getaddrinfo(node, service, hints, list);
}

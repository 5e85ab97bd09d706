/* What wasi-libc would ask of WASI, asked of native/host_calls.c instead: descriptors and names are
 * the process's own, errno is Linux's. These definitions come before libc.a's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

__attribute__((import_module("host"), import_name("call"))) int host_import(int call, void *args);

int host(enum host_call call, int64_t *args) {
  int result = host_import(call, args);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

/* O_ flags of wasi-libc's fcntl.h (what fopen(3) makes of "r", "w+", …) as Linux's, by name. */
static int linux_flags(int flags) {
  static const struct {
    int wasi;
    const char *name;
  } names[] = {{O_CREAT, "O_CREAT"}, {O_EXCL, "O_EXCL"}, {O_TRUNC, "O_TRUNC"}, {O_APPEND, "O_APPEND"}};
  int64_t args[HOST_ARGS] = {0};
  const char *access = (flags & O_RDWR) == O_RDWR ? "O_RDWR" : flags & O_WRONLY ? "O_WRONLY" : "O_RDONLY";
  int result = 0;
  args[0] = POINTER(access);
  if (host(HOST_CONSTANT, args) == 0) result |= (int)args[1];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    args[0] = POINTER(names[i].name);
    if ((flags & names[i].wasi) && host(HOST_CONSTANT, args) == 0) result |= (int)args[1];
  }
  return result;
}

int __wasilibc_open_nomode(const char *path, int flags) {
  return HOST(OPEN, POINTER(path), linux_flags(flags), 0666);
}
int open(const char *path, int flags, ...) { return __wasilibc_open_nomode(path, flags); }
int close(int fd) { return HOST(CLOSE, fd); }
ssize_t read(int fd, void *bytes, size_t length) {
  return HOST(READ, fd, POINTER(bytes), (int64_t)length);
}
ssize_t write(int fd, const void *bytes, size_t length) {
  return HOST(WRITE, fd, POINTER(bytes), (int64_t)length);
}

/* stdio's two parts, as two calls: fewer bytes than were asked for end it. */
static ssize_t vectored(int fd, const struct iovec *part, int count,
                        ssize_t (*transfer)(int, void *, size_t)) {
  ssize_t total = 0;
  for (; count > 0; part++, count--) {
    if (part->iov_len == 0) continue;
    ssize_t done = transfer(fd, part->iov_base, part->iov_len);
    if (done < 0) return total > 0 ? total : done;
    total += done;
    if ((size_t)done < part->iov_len || transfer == read) break;
  }
  return total;
}
ssize_t readv(int fd, const struct iovec *parts, int count) {
  return vectored(fd, parts, count, read);
}
static ssize_t write_part(int fd, void *bytes, size_t length) { return write(fd, bytes, length); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return vectored(fd, parts, count, write_part);
}

off_t __lseek(int fd, off_t offset, int whence) {
  /* wasi-libc numbers SEEK_SET, SEEK_CUR and SEEK_END as WASI does. */
  int64_t args[HOST_ARGS] = {fd, offset, whence == SEEK_SET ? 0 : whence == SEEK_CUR ? 1 : 2};
  return host(HOST_LSEEK, args) < 0 ? -1 : args[3];
}
#undef lseek
off_t lseek(int fd, off_t offset, int whence) { return __lseek(fd, offset, whence); }
int fcntl(int fd, int command, ...) { /* fdopen(3) asks for O_APPEND, which the kernel minds itself */
  (void)fd, (void)command;
  return 0;
}
int __wasilibc_fd_renumber(int fd, int to) { /* freopen(3) */
  if (HOST(DUP2, fd, to) < 0) return -1;
  return close(fd);
}
int __isatty(int fd) { return HOST(ISATTY, fd) > 0; }
int isatty(int fd) { return __isatty(fd); }
int unlink(const char *path) { return HOST(UNLINK, POINTER(path)); }
int rename(const char *from, const char *to) { return HOST(RENAME, POINTER(from), POINTER(to)); }
int remove(const char *path) {
  int result = unlink(path);
  if (result == 0) return 0;
  int why = errno;
  if (HOST(RMDIR, POINTER(path)) == 0) return 0;
  errno = why;
  return -1;
}

enum { REALTIME, CPU };
static int64_t nanoseconds(int which) {
  int64_t args[HOST_ARGS] = {which};
  return host(HOST_CLOCK, args) < 0 ? -1 : args[1];
}
time_t time(time_t *out) {
  time_t now = nanoseconds(REALTIME) / 1000000000;
  if (out) *out = now;
  return now;
}
clock_t clock(void) { return (clock_t)(nanoseconds(CPU) / (1000000000 / CLOCKS_PER_SEC)); }

char *getenv(const char *name) {
  static char *value;
  int length = HOST(GETENV, POINTER(name), POINTER(""), 0);
  if (length < 0) return NULL;
  char *room = realloc(value, (size_t)length + 1);
  if (!room) return NULL;
  value = room;
  HOST(GETENV, POINTER(name), POINTER(value), length);
  value[length] = 0;
  return value;
}

char *strerror(int number) {
  static char text[128];
  if (HOST(STRERROR, number, POINTER(text), sizeof text) < 0) return "Unknown error";
  return text;
}

int system(const char *command) { return HOST(SYSTEM, POINTER(command)); }

/* Processes of io.popen, by their FILE. */
enum { MAX_PIPES = 16 };
static struct {
  FILE *file;
  int64_t pid;
} pipes[MAX_PIPES];

FILE *host_popen(const char *command, const char *mode) {
  int i = 0;
  while (i < MAX_PIPES && pipes[i].file) i++;
  if (i == MAX_PIPES) {
    int64_t args[HOST_ARGS] = {POINTER("EMFILE")};
    if (host(HOST_CONSTANT, args) == 0) errno = (int)args[1];
    return NULL;
  }
  int64_t args[HOST_ARGS] = {POINTER(command), *mode == 'w'};
  fflush(NULL);
  int fd = host(HOST_POPEN, args);
  if (fd < 0) return NULL;
  FILE *file = fdopen(fd, *mode == 'w' ? "w" : "r");
  if (!file) {
    close(fd);
    HOST(WAIT, args[2]);
    return NULL;
  }
  pipes[i].file = file;
  pipes[i].pid = args[2];
  return file;
}

int host_pclose(FILE *file) {
  for (int i = 0; i < MAX_PIPES; i++) {
    if (pipes[i].file != file) continue;
    pipes[i].file = NULL;
    fclose(file);
    return HOST(WAIT, pipes[i].pid);
  }
  return -1;
}

/* A new empty file under /tmp: its descriptor. */
static int make_temporary(char *name) {
  static uint32_t count;
  for (int attempt = 0; attempt < 100; attempt++) {
    snprintf(name, LUA_TMPNAMBUFSIZE, "/tmp/lua_%08x%04x", (unsigned)nanoseconds(REALTIME),
             (unsigned)(count++ & 0xffff));
    int fd = HOST(OPEN, POINTER(name), linux_flags(O_RDWR | O_CREAT | O_EXCL), 0600);
    if (fd >= 0) return fd;
  }
  return -1;
}
int host_tmpnam(char *out) {
  int fd = make_temporary(out);
  if (fd >= 0) close(fd);
  return fd < 0;
}
FILE *host_tmpfile(void) {
  char name[LUA_TMPNAMBUFSIZE];
  int fd = make_temporary(name);
  if (fd < 0) return NULL;
  unlink(name);
  FILE *file = fdopen(fd, "w+");
  if (!file) close(fd);
  return file;
}

_Noreturn void leave(int status) {
  fflush(NULL);
  for (;;) HOST(EXIT, status);
}
_Noreturn void exit(int status) { leave(status); }
_Noreturn void _Exit(int status) {
  for (;;) HOST(EXIT, status);
}
_Noreturn void abort(void) { _Exit(134); }

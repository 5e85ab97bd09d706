#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "../descriptors.h"
#include "filter.h"

#ifndef EAI_NODATA
#define EAI_NODATA (-5)
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* src/io/libc-service-protocol.ts has the same list. */
enum call {
  OPEN = 1, OPENAT, UNLINK, RENAME, STAT, LSTAT, ACCESS, EACCESS, MKDIR, RMDIR, CONNECT_UNIX, CONNECT_INET,
  CONNECT_INET6, BIND_UNIX, BIND_INET, BIND_INET6, GETADDRINFO, CALLS
};
static const char *const names[CALLS] = {
  [OPEN] = "=open", [OPENAT] = "=openat", [UNLINK] = "=unlink", [RENAME] = "=rename", [STAT] = "=stat",
  [LSTAT] = "=lstat", [ACCESS] = "=access", [EACCESS] = "=eaccess", [MKDIR] = "=mkdir", [RMDIR] = "=rmdir",
  [CONNECT_UNIX] = "=connect_unix", [CONNECT_INET] = "=connect_inet", [CONNECT_INET6] = "=connect_inet6",
  [BIND_UNIX] = "=bind_unix", [BIND_INET] = "=bind_inet", [BIND_INET6] = "=bind_inet6",
  [GETADDRINFO] = "=getaddrinfo",
};

/* A packet of each kind begins with four bytes, then one of the call or the answer, and three zeros. The first packet from
 * the master stays in the socket for all that will have it: it brings the filters, as a file of (call, length, text). */
static const unsigned char QUESTION[4] = {'P', 'L', 'S', 'Q'}, ANSWER[4] = {'P', 'L', 'S', 'A'},
                           FILTERS[4] = {'P', 'L', 'S', 'F'};
enum { HEADER = 8, RESULT = 0, OWN = 1 /* the slave is to call the C library itself */ };
enum {
  MOST_FDS = 8,        /* with an answer */
  MOST_ANSWER = 1024,  /* the longest is that of stat */
  MOST_RESULTS = 2048, /* of a filter */
  MOST_NAME = 1024,    /* of a host, or a service */
  MESSAGE = 256,
  SHORT = 192,     /* what of arguments has room on the stack: an address of IPv6 needs 176 */
  MORE_ROOM = 256, /* for what a filter has left out */
};

static int socket_fd = -1;
static ino_t socket_inode;
static struct {
  const char *text;
  uint32_t length;
} filters[CALLS];

static _Thread_local bool in_filter;

/* ── values: filter.h says what they look like ───────────────────────────────────────────────────── */

struct writer {
  unsigned char *start, *at, *end; /* NULL `at`: there was no room */
};

static void put(struct writer *w, const void *bytes, size_t size) {
  if (!w->at || (size_t)(w->end - w->at) < size) {
    w->at = NULL;
    return;
  }
  if (size > 0) memcpy(w->at, bytes, size);
  w->at += size;
}

static void put_byte(struct writer *w, unsigned char byte) { put(w, &byte, 1); }

static void put_size(struct writer *w, char kind, size_t size) {
  put_byte(w, (unsigned char)kind);
  put(w, (unsigned char[]){(unsigned char)size, (unsigned char)(size >> 8), (unsigned char)(size >> 16),
                           (unsigned char)(size >> 24)}, 4);
}

static void put_int(struct writer *w, int64_t number) {
  unsigned char bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
  put_byte(w, 'i');
  put(w, bytes, 8);
}

static void put_bytes(struct writer *w, const void *bytes, size_t length) {
  put_size(w, 's', length);
  put(w, bytes, length);
}

static void put_text(struct writer *w, const char *text) {
  if (text) put_bytes(w, text, strlen(text));
  else put_byte(w, 'n');
}

static size_t written(const struct writer *w) { return (size_t)(w->at - w->start); }

struct reader {
  const unsigned char *at, *end;
};

static char next_kind(const struct reader *r) { return r->at < r->end ? (char)*r->at : 0; }

static bool take_size(struct reader *r, char kind, uint32_t *out) {
  if (next_kind(r) != kind || r->end - r->at < 5) return false;
  *out = r->at[1] | (uint32_t)r->at[2] << 8 | (uint32_t)r->at[3] << 16 | (uint32_t)r->at[4] << 24;
  r->at += 5;
  return true;
}

/* How many fields follow. One without any comes from a filter as a list. */
static bool take_table(struct reader *r, uint32_t *count) {
  return take_size(r, 'm', count) || (take_size(r, 'l', count) && *count == 0);
}

static bool is_table(struct reader r) {
  uint32_t count;
  return take_table(&r, &count);
}

static bool take_int(struct reader *r, int64_t *out) {
  if (next_kind(r) != 'i' || r->end - r->at < 9) return false;
  uint64_t number = 0;
  for (int i = 0; i < 8; i++) number |= (uint64_t)r->at[1 + i] << (8 * i);
  *out = (int64_t)number;
  r->at += 9;
  return true;
}

static bool take_int32(struct reader *r, int *out) {
  int64_t number;
  if (!take_int(r, &number) || number < INT32_MIN || number > UINT32_MAX) return false;
  *out = (int)number;
  return true;
}

/* Text without a NUL, as C's. */
static bool take_text(struct reader *r, char *out, size_t room) {
  uint32_t length;
  if (!take_size(r, 's', &length) || length > r->end - r->at || length >= room ||
      memchr(r->at, 0, length))
    return false;
  memcpy(out, r->at, length);
  out[length] = 0;
  r->at += length;
  return true;
}

/* And that may be nil. @param out  its first byte is untouched then, *is_there false */
static bool take_text_or_nil(struct reader *r, char *out, size_t room, bool *is_there) {
  *is_there = next_kind(r) == 's';
  if (*is_there) return take_text(r, out, room);
  if (next_kind(r) == 'n') r->at++;
  return r->at == r->end || next_kind(r) != 0;
}

/* ── descriptors ───────────────────────────────────────────────────────────────────────────────── */

/* Not close(3): a thread may be cancelled there, and what it was about to close, or to return, would stay open. */
static int drop(int fd) { return (int)syscall(SYS_close, fd); }

static void close_all(const int *fds, int count) {
  for (int i = 0; i < count; i++) drop(fds[i]);
}

/* As open(2) would have given it: with the lowest number that is free, and these flags. */
static int land(int fd, int flags) {
  bool stays = !(flags & O_CLOEXEC);
  int lower = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (lower >= 0 && lower < fd) {
    drop(fd);
    fd = lower;
  } else if (lower >= 0) {
    drop(lower);
  }
  if (stays) fcntl(fd, F_SETFD, 0);
  int status = fcntl(fd, F_GETFL);
  /* Those of Perilune never wait; programs that didn't ask for that don't expect it. */
  if (status >= 0 && !(status & O_PATH) && status & O_NONBLOCK && !(flags & O_NONBLOCK))
    fcntl(fd, F_SETFL, status & ~O_NONBLOCK);
  return fd;
}

/* Another socket takes this one's number. */
static int replace(int fd, int with) {
  int status = fcntl(fd, F_GETFL), closes = fcntl(fd, F_GETFD), now = fcntl(with, F_GETFL);
  if (status < 0 || closes < 0 || now < 0) return -1;
  if ((status ^ now) & O_NONBLOCK) fcntl(with, F_SETFL, now ^ O_NONBLOCK);
  return dup3(with, fd, closes & FD_CLOEXEC ? O_CLOEXEC : 0) < 0 ? -1 : 0;
}

/* ── asking ────────────────────────────────────────────────────────────────────────────────────── */

/* What a call has come to: own: nobody has answered, or the master has told the slave to call the C library. */
struct outcome {
  bool own;
  unsigned char values[MOST_RESULTS];
  size_t size;
  int fds[MOST_FDS];
  int fd_count;
  int family; /* that getaddrinfo was asked for: no argument of filters */
};

static void fail(struct outcome *out, int error) {
  struct writer w = {out->values, out->values, out->values + sizeof out->values};
  put_int(&w, -1);
  put_int(&w, error);
  out->own = false;
  out->size = written(&w);
  out->fd_count = 0;
}

/* fstat(2): glibc's gives an empty path to newfstatat(2), which sandboxes refuse. Its struct is the kernel's on these. */
static int status_of(int fd, struct stat *out) {
#if defined __x86_64__ || defined __aarch64__
  return (int)syscall(SYS_fstat, fd, out);
#else
  return fstat(fd, out);
#endif
}

/* A program may have closed the socket, and its number may be another file's by now. */
static bool is_ours(int fd) {
  struct stat about;
  return status_of(fd, &about) == 0 && about.st_ino == socket_inode && S_ISSOCK(about.st_mode);
}

static void wait_for(int fd, short events) {
  struct pollfd polled = {fd, events, 0};
  (void)!poll(&polled, 1, -1);
}

/* @return whether the master is gone. Its answer's socket doesn't always tell: a child that another thread has forked
 * meanwhile holds the end that the master had. */
static bool wait_for_answer(int fd, bool *watches) {
  struct pollfd polled[2] = {{fd, POLLIN, 0}, {*watches ? socket_fd : -1, 0, 0}};
  if (poll(polled, 2, -1) <= 0 || !polled[1].revents) return false;
  if (polled[1].revents & POLLHUP && is_ours(socket_fd)) return true;
  *watches = false; /* another file has that number now */
  return false;
}

/* @return 0 or -errno */
static int send_question(enum call call, const unsigned char *arguments, size_t size, const int *fds,
                         int count) {
  unsigned char header[HEADER] = {QUESTION[0], QUESTION[1], QUESTION[2], QUESTION[3], (unsigned char)call};
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
  struct iovec parts[2] = {{header, HEADER}, {(void *)arguments, size}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  put_descriptors(&message, control, fds, count);
  for (;;) {
    /* Sandboxes may not wait here: native/unix.c. */
    if (sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno == EAGAIN) wait_for(socket_fd, POLLOUT);
    else if (errno != EINTR) return -errno;
  }
}

/* @return bytes, or ≤ 0: there will be no answer. Not all descriptors had room: out->fd_count is -1 */
static ssize_t receive_packet(int fd, int flags, unsigned char *bytes, size_t room, int *fds, int *count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST_FDS * sizeof(int))];
  struct iovec part = {bytes, room};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
  ssize_t length = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
  *count = 0;
  if (length < 0) return -errno;
  *count = take_descriptors(&message, fds, MOST_FDS, drop);
  if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) {
    close_all(fds, *count);
    *count = -1;
  }
  return length;
}

/* One question. @param fd  that goes with it, or -1 */
static void ask(enum call call, const unsigned char *arguments, size_t size, int fd, struct outcome *out) {
  int ends[2], count = 0;
  bool watches = true, is_gone = false;
  out->own = true;
  out->fd_count = 0;
  if (!is_ours(socket_fd)) return;
  /* Both flags, as sandboxes have it. */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
    return fail(out, errno);
  int result = send_question(call, arguments, size, (int[]){ends[1], fd}, fd < 0 ? 1 : 2);
  drop(ends[1]);
  ssize_t length = 0;
  unsigned char *bytes = out->values;
  while (result == 0 && (length = receive_packet(ends[0], 0, bytes, MOST_ANSWER, out->fds, &count)) < 0 &&
         (length == -EAGAIN || length == -EINTR) && !is_gone)
    is_gone = wait_for_answer(ends[0], &watches);
  drop(ends[0]);
  /* The master is gone. */
  if (result == -EPIPE || result == -ECONNRESET || (result == 0 && length <= 0)) return;
  if (result < 0) return fail(out, -result);
  if (count < 0) return fail(out, EMFILE);
  if (length < HEADER || memcmp(bytes, ANSWER, 4) != 0 || bytes[4] > OWN) {
    close_all(out->fds, count);
    return fail(out, EPROTO);
  }
  out->own = bytes[4] == OWN;
  out->size = (size_t)length - HEADER;
  memmove(out->values, bytes + HEADER, out->size);
  if (out->own) close_all(out->fds, count);
  else out->fd_count = count;
}

/* ── the C library's own ─────────────────────────────────────────────────────────────────────────── */

static int own_openat(int directory, const char *path, int flags, mode_t mode, uint64_t resolve) {
  if (resolve == 0) return (int)syscall(SYS_openat, directory, path, flags, mode);
  bool creates = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
  struct open_how how = {.flags = (uint32_t)flags, .mode = creates ? mode & 07777 : 0, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static int own_stat(int directory, const char *path, struct stat *out, int flags) {
#if defined __x86_64__ || defined __aarch64__
  return (int)syscall(SYS_newfstatat, directory, path, out, flags); /* glibc's struct is the kernel's here */
#else
  return fstatat(directory, path, out, flags);
#endif
}

static int own_access(int directory, const char *path, int mode, int flags) {
  if (flags == 0) return (int)syscall(SYS_faccessat, directory, path, mode);
  return (int)syscall(SYS_faccessat2, directory, path, mode, flags);
}

static const struct {
  const char *name;
  uint64_t bit;
} resolve_names[] = {
  {"beneath", RESOLVE_BENEATH}, {"in_root", RESOLVE_IN_ROOT}, {"no_magiclinks", RESOLVE_NO_MAGICLINKS},
  {"no_symlinks", RESOLVE_NO_SYMLINKS}, {"no_xdev", RESOLVE_NO_XDEV}, {"cached", RESOLVE_CACHED},
};
enum { RESOLVE_NAMES = sizeof resolve_names / sizeof *resolve_names };

static void put_resolve(struct writer *w, uint64_t resolve) {
  size_t count = 0;
  for (int i = 0; i < RESOLVE_NAMES; i++) count += (resolve & resolve_names[i].bit) != 0;
  put_size(w, 'l', count);
  for (int i = 0; i < RESOLVE_NAMES; i++)
    if (resolve & resolve_names[i].bit) put_text(w, resolve_names[i].name);
}

static bool take_resolve(struct reader *r, uint64_t *out) {
  uint32_t count;
  char name[32];
  *out = 0;
  if (!take_size(r, 'l', &count)) return false;
  for (; count > 0; count--) {
    int i = 0;
    if (!take_text(r, name, sizeof name)) return false;
    while (i < RESOLVE_NAMES && strcmp(name, resolve_names[i].name) != 0) i++;
    if (i == RESOLVE_NAMES) return false;
    *out |= resolve_names[i].bit;
  }
  return true;
}

/* ── status of files as a table ──────────────────────────────────────────────────────────────────── */

static const struct {
  const char *name;
  mode_t bits;
} types[] = {
  {"regular", S_IFREG}, {"directory", S_IFDIR}, {"symlink", S_IFLNK}, {"block", S_IFBLK},
  {"character", S_IFCHR}, {"fifo", S_IFIFO}, {"socket", S_IFSOCK}, {"unknown", 0},
};
enum { TYPES = sizeof types / sizeof *types };

static void put_field(struct writer *w, const char *name, int64_t value) {
  put_text(w, name);
  put_int(w, value);
}

static void put_stat(struct writer *w, const struct stat *s) {
  int type = 0;
  while (type < TYPES - 1 && types[type].bits != (s->st_mode & S_IFMT)) type++;
  put_size(w, 'm', 17);
  put_field(w, "dev", (int64_t)s->st_dev);
  put_field(w, "ino", (int64_t)s->st_ino);
  put_field(w, "mode", s->st_mode & 07777);
  put_text(w, "type");
  put_text(w, types[type].name);
  put_field(w, "nlink", (int64_t)s->st_nlink);
  put_field(w, "uid", s->st_uid);
  put_field(w, "gid", s->st_gid);
  put_field(w, "rdev", (int64_t)s->st_rdev);
  put_field(w, "size", s->st_size);
  put_field(w, "blksize", s->st_blksize);
  put_field(w, "blocks", s->st_blocks);
  put_field(w, "atime", s->st_atim.tv_sec);
  put_field(w, "atime_nsec", s->st_atim.tv_nsec);
  put_field(w, "mtime", s->st_mtim.tv_sec);
  put_field(w, "mtime_nsec", s->st_mtim.tv_nsec);
  put_field(w, "ctime", s->st_ctim.tv_sec);
  put_field(w, "ctime_nsec", s->st_ctim.tv_nsec);
}

static void set_stat(struct stat *s, const char *name, int64_t n) {
#define IS(field, member) if (strcmp(name, field) == 0) s->member = (__typeof__(s->member))n
  IS("dev", st_dev);
  else IS("ino", st_ino);
  else if (strcmp(name, "mode") == 0) s->st_mode |= (mode_t)n;
  else IS("nlink", st_nlink);
  else IS("uid", st_uid);
  else IS("gid", st_gid);
  else IS("rdev", st_rdev);
  else IS("size", st_size);
  else IS("blksize", st_blksize);
  else IS("blocks", st_blocks);
  else IS("atime", st_atim.tv_sec);
  else IS("atime_nsec", st_atim.tv_nsec);
  else IS("mtime", st_mtim.tv_sec);
  else IS("mtime_nsec", st_mtim.tv_nsec);
  else IS("ctime", st_ctim.tv_sec);
  else IS("ctime_nsec", st_ctim.tv_nsec);
#undef IS
}

/* Fields that are missing are 0, unknown ones nothing. */
static bool take_stat(struct reader *r, struct stat *out) {
  uint32_t count;
  memset(out, 0, sizeof *out);
  if (!take_table(r, &count)) return false;
  for (; count > 0; count--) {
    char name[32], text[32];
    int64_t number;
    if (!take_text(r, name, sizeof name)) return false;
    if (next_kind(r) == 's') {
      if (!take_text(r, text, sizeof text)) return false;
      for (int i = 0; i < TYPES && strcmp(name, "type") == 0; i++)
        if (strcmp(text, types[i].name) == 0) out->st_mode |= types[i].bits;
    } else if (take_int(r, &number)) {
      set_stat(out, name, number);
    } else {
      return false;
    }
  }
  return true;
}

/* ── addresses ───────────────────────────────────────────────────────────────────────────────────── */

static void put_list(struct writer *w, const unsigned char *bytes, size_t count, const uint32_t *scope) {
  put_size(w, 'l', count + (scope ? 1 : 0));
  for (size_t i = 0; i < count; i++) put_int(w, bytes[i]);
  if (scope) put_int(w, *scope);
}

static bool take_list(struct reader *r, unsigned char *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    int64_t n;
    if (!take_int(r, &n) || n < 0 || n > 255) return false;
    bytes[i] = (unsigned char)n;
  }
  return true;
}

/* Path or address and what belongs to it. @return the call, or 0: an address of another kind */
static enum call put_address(struct writer *w, int fd, const struct sockaddr *address, socklen_t size,
                             bool binds) {
  put_int(w, fd);
  if (size >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    put_list(w, (const unsigned char *)&in->sin_addr, 4, NULL);
    put_int(w, ntohs(in->sin_port));
    return binds ? BIND_INET : CONNECT_INET;
  }
  if (size >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    put_list(w, (const unsigned char *)&in6->sin6_addr, 16, NULL);
    put_int(w, ntohs(in6->sin6_port));
    put_int(w, in6->sin6_scope_id);
    return binds ? BIND_INET6 : CONNECT_INET6;
  }
  /* One without a name asks for nothing. */
  const size_t start = offsetof(struct sockaddr_un, sun_path);
  if (size <= start || size > sizeof(struct sockaddr_un) || address->sa_family != AF_UNIX) return 0;
  const char *path = ((const struct sockaddr_un *)address)->sun_path;
  size_t length = path[0] ? strnlen(path, size - start) : size - start;
  put_bytes(w, path, length);
  return binds ? BIND_UNIX : CONNECT_UNIX;
}

/* What put_address has written, from the descriptor on. */
static bool take_address(struct reader *r, enum call call, int *fd, struct sockaddr_storage *out,
                         socklen_t *size) {
  uint32_t count;
  int port, scope = 0;
  memset(out, 0, sizeof *out);
  if (!take_int32(r, fd)) return false;
  if (call == CONNECT_UNIX || call == BIND_UNIX) {
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    if (!take_size(r, 's', &count) || count > r->end - r->at || count == 0 || count > sizeof un->sun_path ||
        (r->at[0] != 0 && memchr(r->at, 0, count)))
      return false;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, r->at, count);
    r->at += count;
    bool ends = un->sun_path[0] != 0 && count < sizeof un->sun_path;
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + (ends ? 1 : 0));
    return true;
  }
  bool is_v6 = call == CONNECT_INET6 || call == BIND_INET6;
  unsigned char bytes[16];
  if (!take_size(r, 'l', &count) || count != (is_v6 ? 16 : 4) || !take_list(r, bytes, count) ||
      !take_int32(r, &port) || port < 0 || port > 65535 || (is_v6 && !take_int32(r, &scope)))
    return false;
  if (is_v6) {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    in6->sin6_scope_id = (uint32_t)scope;
    memcpy(&in6->sin6_addr, bytes, 16);
    *size = sizeof *in6;
  } else {
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    memcpy(&in->sin_addr, bytes, 4);
    *size = sizeof *in;
  }
  return true;
}

/* ── names of hosts ──────────────────────────────────────────────────────────────────────────────── */

static const struct {
  const char *name;
  int code;
} failures[] = {
  {"again", EAI_AGAIN}, {"badflags", EAI_BADFLAGS}, {"fail", EAI_FAIL}, {"family", EAI_FAMILY},
  {"memory", EAI_MEMORY}, {"noname", EAI_NONAME}, {"service", EAI_SERVICE}, {"socktype", EAI_SOCKTYPE},
  {"system", EAI_SYSTEM},
};
enum { FAILURES = sizeof failures / sizeof *failures };

static const char *protocol_of(const struct addrinfo *hints) {
  if (!hints) return NULL;
  return hints->ai_socktype == SOCK_STREAM ? "tcp" : hints->ai_socktype == SOCK_DGRAM ? "udp" : NULL;
}

/* The first address that the C library finds, for a filter. */
static void put_found(struct writer *w, const char *node, const char *service, const char *protocol, int family) {
  struct addrinfo hints = {.ai_family = family}, *list = NULL;
  if (protocol) hints.ai_socktype = strcmp(protocol, "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM;
  int status = service_real_getaddrinfo(node, service, &hints, &list);
  int error = status == EAI_SYSTEM ? errno : 0;
  if (status != 0) {
    int i = 0;
    while (i < FAILURES && failures[i].code != status) i++;
    if (i < FAILURES) put_text(w, failures[i].name);
    else put_int(w, status);
    put_int(w, error);
    return;
  }
  put_byte(w, 'n');
  if (list && list->ai_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)list->ai_addr;
    put_list(w, (const unsigned char *)&in->sin_addr, 4, NULL);
    put_int(w, ntohs(in->sin_port));
  } else if (list && list->ai_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)list->ai_addr;
    uint32_t scope = in6->sin6_scope_id;
    put_list(w, (const unsigned char *)&in6->sin6_addr, 16, &scope);
    put_int(w, ntohs(in6->sin6_port));
  }
  if (list) freeaddrinfo(list);
}

/* A list with one address, as the C library would have made it. @return 0 or EAI_, -1: these are no results */
static int make_list(struct reader *r, const char *asked, const char *service, const struct addrinfo *hints,
                     struct addrinfo **out) {
  char node[INET6_ADDRSTRLEN + 12], port[8];
  unsigned char bytes[16];
  uint32_t count;
  int64_t scope = 0;
  int number;
  struct addrinfo how = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  if (next_kind(r) == 'n') r->at++;
  if (r->at == r->end || next_kind(r) == 'n') return EAI_NODATA;
  if (!take_size(r, 'l', &count) || (count != 4 && count != 17) ||
      !take_list(r, bytes, count == 4 ? 4 : 16) || (count == 17 && (!take_int(r, &scope) || scope < 0)))
    return -1;
  how.ai_family = count == 4 ? AF_INET : AF_INET6;
  if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != how.ai_family) return EAI_NONAME;
  if (hints) {
    how.ai_socktype = hints->ai_socktype;
    how.ai_protocol = hints->ai_protocol;
  }
  if (!inet_ntop(how.ai_family, bytes, node, INET6_ADDRSTRLEN)) return -1;
  if (scope > 0) snprintf(node + strlen(node), 12, "%%%u", (uint32_t)scope);
  if (take_int32(r, &number) && number >= 0 && number <= 65535) {
    snprintf(port, sizeof port, "%d", number);
  } else { /* that which was asked for, where it is a number */
    bool is_number = service && *service && strspn(service, "0123456789") == strlen(service);
    snprintf(port, sizeof port, "%.5s", is_number && strlen(service) <= 5 ? service : "0");
  }
  int status = service_real_getaddrinfo(node, port, &how, out);
  if (status != 0 || !hints || !(hints->ai_flags & AI_CANONNAME)) return status;
  /* The master knows no other name. freeaddrinfo(3) frees it. */
  (*out)->ai_canonname = strdup(asked);
  if ((*out)->ai_canonname) return 0;
  freeaddrinfo(*out);
  return EAI_MEMORY;
}

/* ── filters ─────────────────────────────────────────────────────────────────────────────────────── */

/* The arguments of a call, as a filter gives them to `real`. */
struct arguments {
  char *path, *second;
  size_t room; /* in each */
  int fd; /* that goes with the question; -1: none */
  int number, flags;
  uint64_t resolve;
  int family; /* that getaddrinfo looks for in the C library */
  bool has_second, has_protocol;
  char protocol[8];
  struct sockaddr_storage address;
  socklen_t size;
};

static bool take_arguments(enum call call, struct reader *r, struct arguments *a) {
  int64_t mode;
  a->fd = -1;
  a->flags = a->number = 0;
  switch (call) {
    case OPEN:
      if (!take_text(r, a->path, a->room) || !take_int32(r, &a->flags)) return false;
      if (take_int(r, &mode)) a->number = (int)mode;
      return true;
    case OPENAT:
      if (!take_int32(r, &a->fd) || !take_text(r, a->path, a->room) || !take_int32(r, &a->flags))
        return false;
      if (next_kind(r) == 'n') r->at++;
      else if (!take_int32(r, &a->number)) return false;
      a->resolve = 0;
      if (a->fd < 0 && a->fd != AT_FDCWD) return false;
      return r->at == r->end || next_kind(r) == 'n' || take_resolve(r, &a->resolve);
    case UNLINK: case STAT: case LSTAT: case RMDIR:
      return take_text(r, a->path, a->room);
    case RENAME:
      return take_text(r, a->path, a->room) && take_text(r, a->second, a->room);
    case ACCESS: case EACCESS: case MKDIR:
      return take_text(r, a->path, a->room) && take_int32(r, &a->number);
    case GETADDRINFO:
      return take_text(r, a->path, a->room) &&
             take_text_or_nil(r, a->second, a->room, &a->has_second) &&
             take_text_or_nil(r, a->protocol, sizeof a->protocol, &a->has_protocol) &&
             (!a->has_protocol || strcmp(a->protocol, "tcp") == 0 || strcmp(a->protocol, "udp") == 0);
    default:
      return take_address(r, call, &a->fd, &a->address, &a->size) && a->fd >= 0;
  }
}

/* The same, as the master wants it: what a filter may leave out is there. */
static void put_arguments(enum call call, struct writer *w, const struct arguments *a) {
  switch (call) {
    case OPENAT: put_int(w, a->fd); /* fall through */
    case OPEN:
      put_text(w, a->path);
      put_int(w, (uint32_t)a->flags);
      put_int(w, (uint32_t)a->number);
      if (call == OPENAT) put_resolve(w, a->resolve);
      break;
    case RENAME:
      put_text(w, a->path);
      put_text(w, a->second);
      break;
    case ACCESS: case EACCESS: case MKDIR:
      put_text(w, a->path);
      put_int(w, (uint32_t)a->number);
      break;
    case GETADDRINFO:
      put_text(w, a->path);
      put_text(w, a->has_second ? a->second : NULL);
      put_text(w, a->has_protocol ? a->protocol : NULL);
      break;
    case UNLINK: case STAT: case LSTAT: case RMDIR: put_text(w, a->path); break;
    default: put_address(w, a->fd, (const struct sockaddr *)&a->address, a->size, call >= BIND_UNIX);
  }
}

/* The C library's own call. */
static void put_own(enum call call, struct writer *w, struct arguments *a) {
  struct stat about;
  int result = -1;
  errno = 0;
  switch (call) {
    case OPEN: result = own_openat(AT_FDCWD, a->path, a->flags, (mode_t)a->number, 0); break;
    case OPENAT: result = own_openat(a->fd, a->path, a->flags, (mode_t)a->number, a->resolve); break;
    case UNLINK: result = (int)syscall(SYS_unlinkat, AT_FDCWD, a->path, 0); break;
    case RMDIR: result = (int)syscall(SYS_unlinkat, AT_FDCWD, a->path, AT_REMOVEDIR); break;
    case RENAME: result = (int)syscall(SYS_renameat2, AT_FDCWD, a->path, AT_FDCWD, a->second, 0); break;
    case ACCESS: result = own_access(AT_FDCWD, a->path, a->number, 0); break;
    case EACCESS: result = own_access(AT_FDCWD, a->path, a->number, AT_EACCESS); break;
    case MKDIR: result = (int)syscall(SYS_mkdirat, AT_FDCWD, a->path, a->number); break;
    case STAT: case LSTAT:
      result = own_stat(AT_FDCWD, a->path, &about, call == LSTAT ? AT_SYMLINK_NOFOLLOW : 0);
      if (result == 0) return put_stat(w, &about);
      break;
    case GETADDRINFO:
      return put_found(w, a->path, a->has_second ? a->second : NULL, a->has_protocol ? a->protocol : NULL, a->family);
    case CONNECT_UNIX: case CONNECT_INET: case CONNECT_INET6:
      result = (int)syscall(SYS_connect, a->fd, &a->address, a->size);
      break;
    default: result = (int)syscall(SYS_bind, a->fd, &a->address, a->size);
  }
  int error = result < 0 ? errno : 0;
  put_int(w, result);
  put_int(w, error);
}

struct question {
  enum call call;
  struct outcome *out; /* of the last `real`: nobody else looks at it meanwhile */
  int fds[MOST_FDS]; /* that the filter was given, and answers for */
  int fd_count;
};

/* @param memory  4 * room + MORE_ROOM bytes: for two texts, and for the question */
static int ask_for_filter(struct question *q, struct reader r, unsigned char *memory, size_t room, struct writer w) {
  struct arguments a = {.path = (char *)memory, .second = (char *)memory + room, .room = room, .family = q->out->family};
  unsigned char *again = memory + 2 * room;
  struct writer question = {again, again, again + 2 * room + MORE_ROOM};
  if (!take_arguments(q->call, &r, &a)) return -EINVAL;
  put_arguments(q->call, &question, &a);
  if (!question.at) return -ENAMETOOLONG;
  ask(q->call, again, written(&question), a.fd, q->out);
  if (q->out->own) {
    put_own(q->call, &w, &a);
  } else {
    put(&w, q->out->values, q->out->size);
    for (int i = 0; i < q->out->fd_count; i++) {
      if (q->fd_count < MOST_FDS) {
        put_int(&w, q->out->fds[i]);
        q->fds[q->fd_count++] = q->out->fds[i];
      } else {
        drop(q->out->fds[i]);
      }
    }
  }
  return w.at ? (int)written(&w) : -EOVERFLOW;
}

/* `real` of a filter: on the thread's stack, of which there may be little. */
static int real(void *context, const unsigned char *bytes, size_t size, unsigned char *results,
                size_t capacity) {
  struct question *q = context;
  struct reader r = {bytes, bytes + size};
  struct writer w = {results, results, results + capacity};
  size_t most = q->call == GETADDRINFO ? MOST_NAME : PATH_MAX, room = size < most ? size + 1 : most;
  if (room <= SHORT) {
    unsigned char memory[4 * SHORT + MORE_ROOM];
    return ask_for_filter(q, r, memory, room, w);
  }
  void *memory = mmap(NULL, 4 * PATH_MAX + MORE_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  int result = ask_for_filter(q, r, memory, room, w);
  munmap(memory, 4 * PATH_MAX + MORE_ROOM);
  return result;
}

static bool take_outcome(enum call call, const struct outcome *out, int64_t *result, int *error);

/* A filter that doesn't work is as none; but somebody should hear of it, once. */
static void complain(enum call call, const char *message) {
  static atomic_bool told[CALLS];
  char line[MESSAGE + 64];
  /* Not to somebody who has gone: that would be the end of the program. */
  struct pollfd errors = {2, POLLOUT, 0};
  if (poll(&errors, 1, 0) != 1 || errors.revents != POLLOUT || atomic_exchange(&told[call], true)) return;
  int length = snprintf(line, sizeof line, "<3>libc_service: %s: %s\n", names[call] + 1, message);
  (void)!write(2, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

/* Descriptors that follow the result: those that the filter had from `real`, mostly. */
static void take_returned_fds(enum call call, struct outcome *out) {
  struct reader r = {out->values, out->values + out->size};
  int64_t n;
  if (call == GETADDRINFO || next_kind(&r) != 'i') return;
  for (int i = 0; r.at < r.end; i++) {
    if (next_kind(&r) == 'n') r.at++;
    else if (!take_int(&r, &n)) return;
    else if (i >= 2 && out->fd_count < MOST_FDS && n >= 0 && n <= INT32_MAX) out->fds[out->fd_count++] = (int)n;
  }
}

static bool run_filter(enum call call, const unsigned char *arguments, size_t size, struct outcome *out) {
  char message[MESSAGE] = "it returned no result";
  int64_t result;
  int error;
  struct question q = {.call = call, .out = out}; /* the filter's own results come there after those of `real` */
  in_filter = true;
  int length = filter_run(names[call], filters[call].text, filters[call].length, arguments, size, real, &q,
                          out->values, sizeof out->values, message, sizeof message);
  in_filter = false;
  out->own = false;
  out->fd_count = 0;
  out->size = length < 0 ? 0 : (size_t)length;
  if (length >= 0 && take_outcome(call, out, &result, &error)) {
    take_returned_fds(call, out);
    /* Or the result is one of those. */
    for (int i = 0; i < q.fd_count && out->fd_count == 0 && (call == OPEN || call == OPENAT); i++)
      if (q.fds[i] == result) out->fds[out->fd_count++] = q.fds[i];
    return true;
  }
  close_all(q.fds, q.fd_count);
  complain(call, message);
  return false;
}

/* ── what comes of it ────────────────────────────────────────────────────────────────────────────── */

/* Where results are what C has: a number and errno. Tables and lists of other calls are good as they are. */
static bool take_outcome(enum call call, const struct outcome *out, int64_t *result, int *error) {
  struct reader r = {out->values, out->values + out->size};
  int64_t number = 0;
  *result = 0;
  *error = 0;
  if (call == GETADDRINFO) return next_kind(&r) != 'm' && next_kind(&r) != 'l';
  if ((call == STAT || call == LSTAT) && is_table(r)) return true;
  if (!take_int(&r, result)) return false;
  if (take_int(&r, &number)) *error = (int)number;
  return true;
}

/* Threads aren't cancelled in here: most of these calls are no place for it, and descriptors would stay open. Nor is errno
 * changed: the C library leaves it alone where a call succeeds. */
static void perform(enum call call, const struct writer *arguments, int fd, struct outcome *out) {
  size_t size = written(arguments);
  int cancelled, error = errno;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled);
  if (!filters[call].text || !run_filter(call, arguments->start, size, out))
    ask(call, arguments->start, size, fd, out);
  pthread_setcancelstate(cancelled, NULL);
  errno = error;
}

/* The result of a call whose answer is a number. Descriptors that nobody wants are closed. */
static int finish(enum call call, struct outcome *out) {
  int64_t result;
  int error;
  if (!take_outcome(call, out, &result, &error)) {
    result = -1;
    error = EPROTO;
  }
  close_all(out->fds, out->fd_count);
  if (result == -1) errno = error;
  return (int)result;
}

static int finish_open(enum call call, int flags, struct outcome *out) {
  int64_t result;
  int error, fd = out->fd_count > 0 ? out->fds[0] : -1;
  if (fd < 0 || !take_outcome(call, out, &result, &error) || result == -1) return finish(call, out);
  close_all(out->fds + 1, out->fd_count - 1);
  return land(fd, flags);
}

static int finish_socket(enum call call, int fd, struct outcome *out) {
  int64_t result;
  int error;
  if (out->fd_count > 0 && take_outcome(call, out, &result, &error) && result == 0 &&
      replace(fd, out->fds[0]) < 0)
    fail(out, errno);
  return finish(call, out);
}

bool service_is_on(void) { return socket_fd >= 0 && !in_filter; }

/* Whether the name means the same without the directory. */
static bool stands_alone(int directory, const char *path) {
  return path && (directory == AT_FDCWD || path[0] == '/');
}

/* Room for the arguments, on the stack: paths are mostly short. */
#define ARGUMENTS(w, room)                                              \
  unsigned char w##_bytes[(room) + 128];                                \
  struct writer w = {w##_bytes, w##_bytes, w##_bytes + sizeof w##_bytes}

static bool too_long(const char *path) {
  if (strnlen(path, PATH_MAX) < PATH_MAX) return false;
  errno = ENAMETOOLONG;
  return true;
}

int service_openat(int directory, const char *path, int flags, mode_t mode, uint64_t resolve) {
  if (!service_is_on() || !path) return own_openat(directory, path, flags, mode, resolve);
  if (too_long(path)) return -1;
  bool alone = resolve == 0 && stands_alone(directory, path);
  if (!alone && directory < 0 && directory != AT_FDCWD) {
    errno = EBADF;
    return -1;
  }
  ARGUMENTS(w, strlen(path) + 128);
  struct outcome out;
  if (!alone) put_int(&w, directory);
  put_text(&w, path);
  put_int(&w, (uint32_t)flags);
  bool creates = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
  put_int(&w, creates ? mode & 07777 : 0);
  if (!alone) put_resolve(&w, resolve);
  enum call call = alone ? OPEN : OPENAT;
  perform(call, &w, alone || directory < 0 ? -1 : directory, &out);
  return out.own ? own_openat(directory, path, flags, mode, resolve) : finish_open(call, flags, &out);
}

/* Calls with one path and nothing else, or a number. */
static bool ask_of_path(enum call call, const char *path, const int *number, struct outcome *out) {
  ARGUMENTS(w, strlen(path));
  put_text(&w, path);
  if (number) put_int(&w, (uint32_t)*number);
  perform(call, &w, -1, out);
  return !out->own;
}

int service_unlinkat(int directory, const char *path, int flags) {
  struct outcome out;
  enum call call = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
  if (service_is_on() && stands_alone(directory, path) && !(flags & ~AT_REMOVEDIR)) {
    if (too_long(path)) return -1;
    if (ask_of_path(call, path, NULL, &out)) return finish(call, &out);
  }
  return (int)syscall(SYS_unlinkat, directory, path, flags);
}

int service_renameat2(int from, const char *path, int to, const char *new_path, unsigned flags) {
  if (service_is_on() && stands_alone(from, path) && stands_alone(to, new_path) &&
      (flags & ~(unsigned)RENAME_NOREPLACE) == 0) {
    /* As a file system says that hasn't got it: programs know how to go on. */
    if (flags != 0) {
      errno = EINVAL;
      return -1;
    }
    if (too_long(path) || too_long(new_path)) return -1;
    ARGUMENTS(w, strlen(path) + strlen(new_path));
    struct outcome out;
    put_text(&w, path);
    put_text(&w, new_path);
    perform(RENAME, &w, -1, &out);
    if (!out.own) return finish(RENAME, &out);
  }
  return (int)syscall(SYS_renameat2, from, path, to, new_path, flags);
}

bool service_status(int directory, const char *path, struct stat *about, int flags, int *result) {
  enum call call = flags & AT_SYMLINK_NOFOLLOW ? LSTAT : STAT;
  struct outcome out;
  if (!service_is_on() || !stands_alone(directory, path) || (path[0] == 0 && flags & AT_EMPTY_PATH)) return false;
  *result = -1;
  if (too_long(path)) return true;
  if (!ask_of_path(call, path, NULL, &out)) return false;
  struct reader r = {out.values, out.values + out.size};
  if (!is_table(r)) {
    *result = finish(call, &out);
    if (*result != -1) memset(about, 0, sizeof *about);
    return true;
  }
  close_all(out.fds, out.fd_count);
  if (take_stat(&r, about)) *result = 0;
  else errno = EPROTO;
  return true;
}

int service_fstatat(int directory, const char *path, struct stat *about, int flags) {
  int result;
  if (service_status(directory, path, about, flags, &result)) return result;
  return own_stat(directory, path, about, flags);
}

int service_faccessat(int directory, const char *path, int mode, int flags) {
  enum call call = flags & AT_EACCESS ? EACCESS : ACCESS;
  struct outcome out;
  if (service_is_on() && stands_alone(directory, path) && !(flags & ~AT_EACCESS)) {
    if (too_long(path)) return -1;
    if (ask_of_path(call, path, &mode, &out)) return finish(call, &out);
  }
  return own_access(directory, path, mode, flags);
}

int service_mkdirat(int directory, const char *path, mode_t mode) {
  struct outcome out;
  if (service_is_on() && stands_alone(directory, path)) {
    if (too_long(path)) return -1;
    if (ask_of_path(MKDIR, path, &(int){(int)mode}, &out)) return finish(MKDIR, &out);
  }
  return (int)syscall(SYS_mkdirat, directory, path, mode);
}

static int with_address(int fd, const struct sockaddr *address, socklen_t size, bool binds) {
  if (service_is_on() && address && size >= sizeof(sa_family_t) && fd >= 0) {
    ARGUMENTS(w, sizeof(struct sockaddr_un) + 16 * 9);
    struct outcome out;
    enum call call = put_address(&w, fd, address, size, binds);
    if (call != 0) {
      perform(call, &w, fd, &out);
      if (!out.own) return finish_socket(call, fd, &out);
    }
  }
  return (int)syscall(binds ? SYS_bind : SYS_connect, fd, address, size);
}

int service_connect(int fd, const struct sockaddr *address, socklen_t size) {
  return with_address(fd, address, size, false);
}

int service_bind(int fd, const struct sockaddr *address, socklen_t size) {
  return with_address(fd, address, size, true);
}

int service_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                        struct addrinfo **list) {
  /* Without a node nothing is looked up. */
  if (!service_is_on() || !node || (hints && hints->ai_flags & AI_NUMERICHOST))
    return service_real_getaddrinfo(node, service, hints, list);
  size_t length = strlen(node), service_length = service ? strlen(service) : 0;
  if (length >= MOST_NAME || service_length >= MOST_NAME) return EAI_NONAME;
  ARGUMENTS(w, length + service_length);
  struct outcome out;
  put_text(&w, node);
  put_text(&w, service);
  put_text(&w, protocol_of(hints));
  out.family = hints ? hints->ai_family : AF_UNSPEC;
  perform(GETADDRINFO, &w, -1, &out);
  if (out.own) return service_real_getaddrinfo(node, service, hints, list);
  close_all(out.fds, out.fd_count);
  struct reader r = {out.values, out.values + out.size};
  char name[16];
  int64_t number = 0;
  if (take_int(&r, &number)) { /* of the C library's; or the answer is that asking has failed: (-1, errno) */
    if (number == -1 && take_int(&r, &number)) {
      errno = (int)number;
      return EAI_SYSTEM;
    }
    return (int)number;
  }
  if (take_text(&r, name, sizeof name)) {
    int i = 0;
    while (i < FAILURES && strcmp(name, failures[i].name) != 0) i++;
    if (take_int(&r, &number)) errno = (int)number;
    return i < FAILURES ? failures[i].code : EAI_FAIL;
  }
  int status = make_list(&r, node, service, hints, list);
  return status == -1 ? EAI_FAIL : status;
}

/* ── beginning ───────────────────────────────────────────────────────────────────────────────────── */

static uint32_t size_at(const unsigned char *b) {
  return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The file stays in memory: filters are read where they lie. */
static int read_filters(int file) {
  struct stat about;
  if (status_of(file, &about) < 0) return -errno;
  size_t size = (size_t)about.st_size;
  if (size == 0) return 0;
  const unsigned char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) return -errno;
  for (size_t at = 0; size - at >= 5;) {
    unsigned call = bytes[at];
    uint32_t length = size_at(bytes + at + 1);
    at += 5;
    if (call == 0 || call >= CALLS || length > size - at) return -EPROTO;
    filters[call].text = (const char *)bytes + at;
    filters[call].length = length;
    at += length;
  }
  return 0;
}

int service_begin(int fd) {
  int type = 0, domain = 0, fds[MOST_FDS], count = 0;
  socklen_t size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return -errno;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0) return -errno;
  if (type != SOCK_SEQPACKET || domain != AF_UNIX) return -EPROTO;
  unsigned char bytes[HEADER];
  ssize_t length;
  /* ECONNRESET, once: the master has gone, but what it has sent is there. */
  int tries = 0;
  do length = receive_packet(fd, MSG_PEEK | MSG_DONTWAIT, bytes, sizeof bytes, fds, &count);
  while (length == -EINTR || (length == -ECONNRESET && tries++ == 0));
  if (length < 0) return (int)length;
  int result = length == HEADER && memcmp(bytes, FILTERS, 4) == 0 && count >= 0 ? 0 : -EPROTO;
  if (result == 0 && count == 1) result = read_filters(fds[0]);
  close_all(fds, count);
  struct stat about;
  if (result == 0 && status_of(fd, &about) < 0) result = -errno;
  if (result < 0) return result;
  socket_inode = about.st_ino;
  socket_fd = fd;
  return 0;
}

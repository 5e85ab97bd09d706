/* What a script or a filter asks for: a call of native/init-script/ (Lua) becomes a system call on its linear
 * memory. No byte of that memory is kept here: what a call has to build (lists of pointers, socket addresses) is on
 * the stack, which is wiped too. Knows nothing of Node: native/libc-service/ has it in foreign processes. */
#include "host_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "init-script/host.h"

/* Calls and structures younger than the headers may be. Numbers since 5.1 are the same everywhere. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#define SYS_fspick 433
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

extern char **environ;

int host_kept_fd = -1;
int host_death_signal;

struct constant {
  const char *name;
  int64_t value;
};
static const struct constant constants[] = {
#include "init_script_constants.h"
};

static int find_constant(const char *name, int64_t *out) {
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    if (strcmp(constants[i].name, name) != 0) continue;
    *out = constants[i].value;
    return 0;
  }
  errno = ENOENT;
  return -1;
}

/* ---- arguments ---- */

union argument {
  long number;
  const char *text;
  void *bytes;
};

static const char *const signatures[] = {
#define SIGNATURE(name, signature) signature,
    HOST_CALLS(SIGNATURE)
#undef SIGNATURE
};

bool host_in_memory(struct host_memory memory, int64_t at, int64_t size) {
  return at > 0 && size >= 0 && (uint64_t)at <= memory.size &&
         (uint64_t)size <= memory.size - (uint64_t)at;
}

/* What init-script/host.h says, checked: a script can make Lua err (by bytecode), but nothing outside of
 * its memory is read or written for it. */
static bool take(struct host_memory memory, const char *signature, const int64_t *raw, union argument *out) {
  for (size_t i = 0; signature[i]; i++) {
    int64_t value = raw[i];
    switch (signature[i]) {
      case 'i':
        if (value < INT32_MIN || value > UINT32_MAX) return false;
        out[i].number = (int32_t)(uint32_t)value;
        break;
      case 'S':
        if (value == 0) {
          out[i].text = NULL;
          break;
        } /* fall through */
      case 's':
        if (!host_in_memory(memory, value, 1) ||
            !memchr(memory.bytes + value, 0, memory.size - (size_t)value))
          return false;
        out[i].text = (const char *)memory.bytes + value;
        break;
      case 'B':
        if (value == 0) {
          out[i].bytes = NULL;
          break;
        } /* fall through */
      case 'b':
        if (!host_in_memory(memory, value, raw[i + 1])) return false;
        out[i].bytes = memory.bytes + value;
        break;
      case 'n':
        if (value < 0) return false;
        out[i].number = (long)value;
        break;
      default: out[i].number = (long)value;
    }
  }
  return true;
}

/* ---- calls that are more than a line ---- */

/* Texts in a row, each with its NUL, as execve(2) wants them. NULL: no list. */
static size_t count_texts(const char *bytes, size_t size) {
  size_t count = 0;
  for (size_t i = 0; i < size; i++) count += bytes[i] == 0;
  return count;
}
static void list_texts(const char *bytes, size_t count, char **out) {
  for (size_t i = 0; i < count; i++, bytes += strlen(bytes) + 1) out[i] = (char *)bytes;
  out[count] = NULL;
}

static int execute(const char *path, int fd, const union argument *list) {
  const char *argv_bytes = list[0].bytes, *envp_bytes = list[2].bytes;
  size_t argc = argv_bytes ? count_texts(argv_bytes, (size_t)list[1].number) : 0;
  size_t envc = envp_bytes ? count_texts(envp_bytes, (size_t)list[3].number) : 0;
  char **argv = calloc(argc + envc + 2, sizeof *argv), **envp = argv + argc + 1; /* pointers only */
  if (!argv) return -1;
  list_texts(argv_bytes, argc, argv);
  list_texts(envp_bytes, envc, envp);
  if (path) syscall(SYS_execve, path, argv_bytes ? argv : NULL, envp_bytes ? envp : NULL);
  else
    syscall(SYS_execveat, fd, "", argv_bytes ? argv : NULL, envp_bytes ? envp : NULL, AT_EMPTY_PATH);
  int why = errno;
  free(argv);
  errno = why;
  return -1;
}

/* sh -c command; a `pipe_fd` becomes its descriptor `as`. -> pid, or -1 */
static pid_t run_shell(const char *command, int pipe_fd, int as) {
  char *argv[] = {"sh", "-c", (char *)command, NULL};
  posix_spawn_file_actions_t actions;
  pid_t pid;
  posix_spawn_file_actions_init(&actions);
  if (as >= 0) posix_spawn_file_actions_adddup2(&actions, pipe_fd, as);
  int why = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (why == 0) return pid;
  errno = why;
  return -1;
}

static int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* -> the parent's end of a pipe to `sh -c command` */
static int open_shell(const char *command, bool writes, int64_t *pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  pid_t child = run_shell(command, ends[!writes], !writes);
  int why = errno;
  close(ends[!writes]);
  if (child < 0) {
    close(ends[writes]);
    errno = why;
    return -1;
  }
  *pid = child;
  return ends[writes];
}

static int bind_unix(int fd, const char *path, size_t length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t nul = length > 0 && path[0] != 0; /* an abstract name is its bytes, and no more */
  if (length + nul > sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, length);
  return (int)syscall(SYS_bind, fd, &address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + nul));
}

static ssize_t send_with_fd(int fd, void *bytes, size_t length, int sent) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  put_descriptors(&message, control, &sent, 1);
  return sendmsg(fd, &message, 0);
}

/* There is room for one descriptor: the kernel closes what is more. */
static ssize_t receive_with_fd(int fd, void *bytes, size_t length, int64_t *received) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = CMSG_LEN(sizeof(int))};
  int number;
  ssize_t result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  *received = result >= 0 && take_descriptors(&message, &number, 1, close) == 1 ? number : -1;
  return result;
}

static int last_cap(void) {
  int cap = 0;
  while (cap < 63 && prctl(PR_CAPBSET_READ, cap + 1, 0, 0, 0) >= 0) cap++;
  return cap;
}

static int cap_set(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    data[i].effective = (uint32_t)(effective >> 32 * i);
    data[i].permitted = (uint32_t)(permitted >> 32 * i);
    data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
  }
  return (int)syscall(SYS_capset, &header, data);
}

static int set_filter(void *bytes, size_t size) {
  struct {
    unsigned short length;
    void *filter;
  } program = {(unsigned short)(size / 8), bytes}; /* struct sock_fprog */
  if (size / 8 > 0xffff) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int64_t clock_nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int get_environment(const char *name, char *out, size_t room) {
  const char *value = getenv(name);
  if (!value) {
    errno = ENOENT;
    return -1;
  }
  size_t length = strlen(value);
  if (room > 0) memcpy(out, value, length < room ? length : room);
  return (int)length;
}

/* For a script, the descriptor that is kept isn't there. */
static bool is_kept(int fd) {
  if (fd < 0 || fd != host_kept_fd) return false;
  errno = EBADF;
  return true;
}

static int close_from(unsigned first) {
  int kept = host_kept_fd;
  if (kept < 0 || (unsigned)kept < first) return (int)syscall(SYS_close_range, first, ~0u, 0);
  if ((unsigned)kept > first) syscall(SYS_close_range, first, kept - 1, 0);
  return (int)syscall(SYS_close_range, kept + 1, ~0u, 0);
}

/* The kernel forgets it where the caller has got other ids, or more rights. prctl(2), PR_SET_PDEATHSIG */
static long after_new_rights(long result) {
  int error = errno;
  if (host_death_signal != 0) prctl(PR_SET_PDEATHSIG, host_death_signal);
  errno = error;
  return result;
}

/* ---- the call ---- */

/* What libc_service stands in front of in a process (open, unlink, bind, …) is asked of the kernel, not of libc: there it
 * would be asked of itself. */

/* @param out  the raw arguments, where an `o` takes its result */
static long perform(enum host_call call, const union argument *a, int64_t *out) {
#define I(n) ((int)a[n].number)
#define U(n) ((unsigned)a[n].number)
#define T(n) (a[n].text)
#define B(n) (a[n].bytes)
#define N(n) ((size_t)a[n].number)
  switch (call) {
    case HOST_EXIT: _exit(I(0));
    case HOST_LAST_WORDS: signal(SIGPIPE, SIG_IGN); return write(2, B(0), N(1));
    case HOST_STRERROR: {
      const char *text = strerrordesc_np(I(0));
      if (!text) return -1;
      if (N(2) == 0) return 0;
      strncpy(B(1), text, N(2) - 1);
      ((char *)B(1))[N(2) - 1] = 0;
      return 0;
    }
    case HOST_CONSTANT: return find_constant(T(0), &out[1]);
    case HOST_GETENV: return get_environment(T(0), B(1), N(2));
    case HOST_CLOCK:
      out[1] = clock_nanoseconds(I(0) == 0 ? CLOCK_REALTIME : CLOCK_PROCESS_CPUTIME_ID);
      return 0;
    case HOST_SYSTEM: {
      if (!T(0)) return syscall(SYS_faccessat, AT_FDCWD, "/bin/sh", X_OK) == 0;
      pid_t pid = run_shell(T(0), -1, -1);
      return pid < 0 ? -1 : wait_for(pid);
    }
    case HOST_POPEN: return open_shell(T(0), I(1) != 0, &out[2]);
    case HOST_WAIT: return wait_for((pid_t)a[0].number);

    case HOST_READ: return read(I(0), B(1), N(2));
    case HOST_WRITE: return write(I(0), B(1), N(2));
    case HOST_OPEN: return syscall(SYS_openat, AT_FDCWD, T(0), I(1), U(2));
    case HOST_CLOSE: return is_kept(I(0)) ? -1 : close(I(0));
    case HOST_CLOSEFROM: return close_from(U(0));
    case HOST_DUP: return dup(I(0));
    case HOST_DUP2: return is_kept(I(0)) || is_kept(I(1)) ? -1 : dup2(I(0), I(1));
    case HOST_LSEEK: {
      off_t at = lseek(I(0), a[1].number, I(2));
      out[3] = at;
      return at < 0 ? -1 : 0;
    }
    case HOST_ISATTY: return isatty(I(0));
    case HOST_UNLINK: return syscall(SYS_unlinkat, AT_FDCWD, T(0), 0);
    case HOST_RMDIR: return syscall(SYS_unlinkat, AT_FDCWD, T(0), AT_REMOVEDIR);
    case HOST_RENAME: return syscall(SYS_renameat2, AT_FDCWD, T(0), AT_FDCWD, T(1), 0);
    case HOST_MKDIR: return syscall(SYS_mkdirat, AT_FDCWD, T(0), U(1));
    case HOST_CHDIR: return chdir(T(0));
    case HOST_LINK: return link(T(0), T(1));
    case HOST_LINKAT: return linkat(I(0), T(1), I(2), T(3), I(4));
    case HOST_SYMLINK: return symlink(T(0), T(1));
    case HOST_CHOWN: return chown(T(0), U(1), U(2));
    case HOST_CHMOD: return chmod(T(0), U(1));
    case HOST_UMASK: return umask(U(0));
    case HOST_ACCESS: return syscall(SYS_faccessat, AT_FDCWD, T(0), I(1));
    case HOST_EACCESS: return syscall(SYS_faccessat2, AT_FDCWD, T(0), I(1), AT_EACCESS);
    case HOST_MKFIFO: return mkfifo(T(0), U(1));
    case HOST_MKNOD: return mknod(T(0), U(1), (dev_t)a[2].number);
    case HOST_MAKEDEV: out[2] = (int64_t)makedev(U(0), U(1)); return 0;
    case HOST_DEV_MAJOR: out[1] = major((dev_t)a[0].number); return 0;
    case HOST_DEV_MINOR: out[1] = minor((dev_t)a[0].number); return 0;

    case HOST_MOUNT: return mount(T(0), T(1), T(2), (unsigned long)a[3].number, T(4));
    case HOST_UMOUNT: return umount(T(0));
    case HOST_UMOUNT2: return umount2(T(0), I(1));
    case HOST_PIVOT_ROOT: return syscall(SYS_pivot_root, T(0), T(1));
    case HOST_CHROOT: return chroot(T(0));
    case HOST_MOUNT_SETATTR:
      return syscall(SYS_mount_setattr, I(0), T(1) ? T(1) : "", U(2), B(3), N(4));
    case HOST_FSOPEN: return syscall(SYS_fsopen, T(0), U(1));
    case HOST_FSMOUNT: return syscall(SYS_fsmount, I(0), U(1), U(2));
    case HOST_MOVE_MOUNT: return syscall(SYS_move_mount, I(0), T(1), I(2), T(3), U(4));
    case HOST_FSCONFIG: return syscall(SYS_fsconfig, I(0), U(1), T(2), B(3), I(5));
    case HOST_FSPICK: return syscall(SYS_fspick, I(0), T(1), U(2));
    case HOST_OPEN_TREE: return syscall(SYS_open_tree, I(0), T(1), U(2));

    case HOST_UNSHARE: return after_new_rights(unshare(I(0)));
    case HOST_SETNS: return after_new_rights(setns(I(0), I(1)));
    case HOST_SETHOSTNAME: return sethostname(B(0), N(1));
    case HOST_SETDOMAINNAME: return setdomainname(B(0), N(1));
    case HOST_SETSID: return setsid();
    case HOST_SETPGID: return setpgid(I(0), I(1));
    case HOST_SETRESUID: return after_new_rights(setresuid(U(0), U(1), U(2))); /* libc's: of all threads */
    case HOST_SETRESGID: return after_new_rights(setresgid(U(0), U(1), U(2)));
    case HOST_SETGROUPS: return setgroups(N(1) / sizeof(gid_t), B(0));

    case HOST_LAST_CAP: return last_cap();
    case HOST_CAPSET:
      return cap_set((uint64_t)a[0].number, (uint64_t)a[1].number, (uint64_t)a[2].number);
    case HOST_CAP_DROP_BOUND: return prctl(PR_CAPBSET_DROP, I(0), 0, 0, 0);
    case HOST_CAP_SET_AMBIENT:
      return prctl(PR_CAP_AMBIENT, I(1) ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER, I(0), 0, 0);
    case HOST_CAP_RESET_AMBIENT: return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    case HOST_CAP_SET_SECBITS: return prctl(PR_SET_SECUREBITS, U(0), 0, 0, 0);
    case HOST_SET_NO_NEW_PRIVS: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    case HOST_EXECVE: return execute(T(0), -1, a + 1);
    case HOST_FEXECVE: return execute(NULL, I(0), a + 1);

    case HOST_LANDLOCK_CREATE_RULESET:
      return syscall(SYS_landlock_create_ruleset, B(0), N(1), U(2));
    case HOST_LANDLOCK_ADD_RULE: return syscall(SYS_landlock_add_rule, I(0), I(1), B(2), 0);
    case HOST_LANDLOCK_RESTRICT_SELF: return syscall(SYS_landlock_restrict_self, I(0), U(1));
    case HOST_SECCOMP_SET_MODE_FILTER: return set_filter(B(0), N(1));

    case HOST_SOCKET: return socket(I(0), I(1), I(2));
    case HOST_LISTEN: return listen(I(0), I(1));
    case HOST_BIND_UNIX: return bind_unix(I(0), B(1), N(2));
    case HOST_SEND_WITH_FD: return send_with_fd(I(0), B(1), N(2), I(3));
    case HOST_RECEIVE_WITH_FD: return receive_with_fd(I(0), B(1), N(2), &out[3]);
    case HOST_REAL: /* filter.c has it */
    case HOST_CALL_COUNT: break;
  }
  errno = ENOSYS;
  return -1;
}

int32_t host_perform(struct host_memory memory, uint32_t call, uint32_t at) {
  int64_t raw[HOST_ARGS];
  union argument args[HOST_ARGS] = {0};
  if (call >= HOST_CALL_COUNT) return -ENOSYS;
  if (!host_in_memory(memory, at, sizeof raw)) return -EFAULT;
  memcpy(raw, memory.bytes + at, sizeof raw);
  if (!take(memory, signatures[call], raw, args)) return -EFAULT;
  long result = perform((enum host_call)call, args, raw);
  int32_t given = (int32_t)(result < 0 ? -errno : result);
  if (strchr(signatures[call], 'o')) memcpy(memory.bytes + at, raw, sizeof raw);
  return given;
}

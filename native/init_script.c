/* The native side of init.script: a call of native/init-script/ (Lua in WebAssembly) becomes a system
 * call on its linear memory. No byte of that memory becomes a JavaScript value, and none is kept here:
 * what a call has to build (lists of pointers, socket addresses) is on the stack, which is wiped too. */
#include "util.h"

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

#include "init-script/host.h"
#include "init_script.h"

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

/* The linear memory of the script that runs; the stack where it began. */
static struct {
  uint8_t *bytes;
  size_t size;
  uintptr_t stack;
} memory;

int init_script_kept_fd = -1;

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

static bool in_memory(int64_t at, int64_t size) {
  return at > 0 && size >= 0 && (uint64_t)at <= memory.size &&
         (uint64_t)size <= memory.size - (uint64_t)at;
}

/* What init-script/host.h says, checked: a script can make Lua err (by bytecode), but nothing outside of
 * its memory is read or written for it. */
static bool take(const char *signature, const int64_t *raw, union argument *out) {
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
        if (!in_memory(value, 1) ||
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
        if (!in_memory(value, raw[i + 1])) return false;
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
  return bind(fd, (struct sockaddr *)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + nul));
}

static ssize_t send_with_fd(int fd, void *bytes, size_t length, int sent) {
  struct iovec part = {bytes, length};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(sizeof(int))};
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(&control.header), &sent, sizeof sent);
  return sendmsg(fd, &message, 0);
}

/* There is room for one descriptor: the kernel closes what is more. */
static ssize_t receive_with_fd(int fd, void *bytes, size_t length, int64_t *received) {
  struct iovec part = {bytes, length};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = CMSG_LEN(sizeof(int))};
  *received = -1;
  ssize_t result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = result < 0 ? NULL : CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int number;
    memcpy(&number, CMSG_DATA(header), sizeof number);
    *received = number;
  }
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
  if (fd < 0 || fd != init_script_kept_fd) return false;
  errno = EBADF;
  return true;
}

static int close_from(unsigned first) {
  int kept = init_script_kept_fd;
  if (kept < 0 || (unsigned)kept < first) return (int)syscall(SYS_close_range, first, ~0u, 0);
  if ((unsigned)kept > first) syscall(SYS_close_range, first, kept - 1, 0);
  return (int)syscall(SYS_close_range, kept + 1, ~0u, 0);
}

/* ---- the call ---- */

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
      if (!T(0)) return access("/bin/sh", X_OK) == 0;
      pid_t pid = run_shell(T(0), -1, -1);
      return pid < 0 ? -1 : wait_for(pid);
    }
    case HOST_POPEN: return open_shell(T(0), I(1) != 0, &out[2]);
    case HOST_WAIT: return wait_for((pid_t)a[0].number);

    case HOST_READ: return read(I(0), B(1), N(2));
    case HOST_WRITE: return write(I(0), B(1), N(2));
    case HOST_OPEN: return open(T(0), I(1), U(2));
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
    case HOST_UNLINK: return unlink(T(0));
    case HOST_RMDIR: return rmdir(T(0));
    case HOST_RENAME: return rename(T(0), T(1));
    case HOST_MKDIR: return mkdir(T(0), U(1));
    case HOST_CHDIR: return chdir(T(0));
    case HOST_LINK: return link(T(0), T(1));
    case HOST_LINKAT: return linkat(I(0), T(1), I(2), T(3), I(4));
    case HOST_SYMLINK: return symlink(T(0), T(1));
    case HOST_CHOWN: return chown(T(0), U(1), U(2));
    case HOST_CHMOD: return chmod(T(0), U(1));
    case HOST_UMASK: return umask(U(0));
    case HOST_ACCESS: return access(T(0), I(1));
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

    case HOST_UNSHARE: return unshare(I(0));
    case HOST_SETNS: return setns(I(0), I(1));
    case HOST_SETHOSTNAME: return sethostname(B(0), N(1));
    case HOST_SETDOMAINNAME: return setdomainname(B(0), N(1));
    case HOST_SETSID: return setsid();
    case HOST_SETPGID: return setpgid(I(0), I(1));
    case HOST_SETRESUID: return setresuid(U(0), U(1), U(2)); /* libc's: of all threads */
    case HOST_SETRESGID: return setresgid(U(0), U(1), U(2));
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
    case HOST_CALL_COUNT: break;
  }
  errno = ENOSYS;
  return -1;
}

/* init_script_call(call, at) -> result or -errno: the import of native/init-script/. `at` is where the
 * block of arguments is. Sources: the man page of the call's name. */
napi_value sys_init_script_call(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  uint32_t call = (uint32_t)arg[0], at = (uint32_t)arg[1];
  int64_t raw[HOST_ARGS];
  union argument args[HOST_ARGS] = {0};
  if (call >= HOST_CALL_COUNT) return give_int32(env, -ENOSYS);
  if (!in_memory(at, sizeof raw)) return give_int32(env, -EFAULT);
  memcpy(raw, memory.bytes + at, sizeof raw);
  if (!take(signatures[call], raw, args)) return give_int32(env, -EFAULT);
  long result = perform((enum host_call)call, args, raw);
  int32_t given = (int32_t)(result < 0 ? -errno : result);
  if (strchr(signatures[call], 'o')) memcpy(memory.bytes + at, raw, sizeof raw);
  return give_int32(env, given);
}

/* ---- before and after ---- */

/* The module, which native/init-script/build.sh made. Compilers run in build/, beside native/. */
__asm__(
    ".section .rodata\n"
    "init_script_wasm_start: .incbin \"../native/init-script/lua51.wasm\"\n"
    "init_script_wasm_end:\n"
    ".previous\n");
extern const uint8_t init_script_wasm_start[], init_script_wasm_end[];

/* init_script_module() -> ArrayBuffer: the bytes of the WebAssembly module */
napi_value sys_init_script_module(napi_env env, napi_callback_info info) {
  (void)info;
  size_t size = (size_t)(init_script_wasm_end - init_script_wasm_start);
  void *bytes;
  napi_value buffer = NULL;
  if (napi_create_arraybuffer(env, size, &bytes, &buffer) != napi_ok) return NULL;
  memcpy(bytes, init_script_wasm_start, size);
  return buffer;
}

/* init_script_begin(memory: ArrayBuffer) -> 0: the linear memory of the script that will run, from about
 * this depth of the stack on. -ENOTSUP: not in the main thread. */
napi_value sys_init_script_begin(napi_env env, napi_callback_info info) {
  napi_value args[1];
  void *bytes;
  size_t size;
  if (!take_args(env, info, args, 1)) return NULL;
  if (napi_get_arraybuffer_info(env, args[0], &bytes, &size) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: an ArrayBuffer was expected");
    return NULL;
  }
  if (syscall(SYS_gettid) != getpid()) return give_int32(env, -ENOTSUP);
  memory.bytes = bytes;
  memory.size = size;
  memory.stack = (uintptr_t)__builtin_frame_address(0);
  return give_int32(env, 0);
}

static void end_late(int signal_number) {
  static const char text[] = "<3>ipc_actor/init/script: its time is over\n";
  (void)signal_number;
  signal(SIGPIPE, SIG_IGN);
  (void)!write(2, text, sizeof text - 1);
  _exit(1);
}

/* init_script_deadline(milliseconds) -> 0 or -errno: after that time the process ends, with a message and
 * status 1, whatever it does; 0: no longer. A handler, since PID 1 of a namespace isn't ended by a signal's
 * default; a timer that ends with execve(2).  timer_create(2), timer_settime(2) */
napi_value sys_init_script_deadline(napi_env env, napi_callback_info info) {
  static int timer = -1; /* the kernel's timer_t */
  int32_t milliseconds;
  if (!take_int32s(env, info, &milliseconds, 1)) return NULL;
  if (timer >= 0) {
    syscall(SYS_timer_delete, timer);
    timer = -1;
    signal(SIGALRM, SIG_DFL);
  }
  if (milliseconds <= 0) return give_int32(env, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  struct itimerspec when = {
      .it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000l}};
  signal(SIGALRM, end_late);
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) < 0) {
    timer = -1;
    return give_result(env, -1);
  }
  return give_result(env, syscall(SYS_timer_settime, timer, 0, &when, NULL));
}

enum { CHUNK = 256 }; /* pages, of one mincore(2) */

static void zero(uintptr_t from, uintptr_t to) {
  volatile uint8_t *at = (volatile uint8_t *)from;
  while ((uintptr_t)at < to && (uintptr_t)at % 8 != 0) *at++ = 0;
  for (; (uintptr_t)at + 8 <= to; at += 8) *(volatile uint64_t *)at = 0;
  while ((uintptr_t)at < to) *at++ = 0;
}

/* Zeroes what of that memory there is, and gives whole pages back: they read as zero, and cost nothing. A page
 * that isn't resident was never used, or is in swap space, from where it is gone then. */
static void wipe(uintptr_t from, uintptr_t to) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t low = (from + page - 1) & -page, high = to & -page;
  if (low >= high) {
    zero(from, to);
    return;
  }
  zero(from, low);
  zero(high, to);
  for (uintptr_t at = low; at < high; at += CHUNK * page) {
    uintptr_t size = high - at < CHUNK * page ? high - at : CHUNK * page;
    unsigned char resident[CHUNK];
    bool known = mincore((void *)at, size, resident) == 0;
    for (uintptr_t i = 0; i < size / page; i++)
      if (!known || resident[i]) zero(at + i * page, at + (i + 1) * page);
  }
  madvise((void *)low, high - low, MADV_DONTNEED);
}

static bool is_mapped(uintptr_t at, uintptr_t page) {
  unsigned char there;
  return mincore((void *)at, page, &there) == 0 || errno != ENOMEM;
}

/* The lowest address of the stack that has ever been used: it grows by faults, so that what lies below isn't
 * mapped, for more than the longest step. Of the main thread only. */
static uintptr_t stack_bottom(uintptr_t from) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = from & -page, step = page;
  for (bool grows = true; step >= page;) {
    if (is_mapped(at - step, page)) {
      at -= step;
      if (grows && step < CHUNK / 2 * page) step *= 2;
    } else {
      grows = false;
      step /= 2;
    }
  }
  return at;
}

/* The stack from `low` to this function's frame. The bytes next to the frame are in use by the calls made here;
 * the caller calls again from another depth, for the last of them. */
__attribute__((noinline)) static void wipe_stack(uintptr_t low, size_t deeper) {
  volatile uint8_t pad[512];
  for (size_t i = 0; i < sizeof pad; i++) pad[i] = 0;
  uintptr_t high = (uintptr_t)__builtin_frame_address(0) - sizeof pad - 1024;
  if (deeper > 0) {
    wipe_stack(low, deeper - 1);
    low = high - 16384;
  }
  zero(low, high);
}

/* Vector registers: copies go through them, and a signal would put them on the stack. */
static void wipe_registers(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroall" ::: "memory");
  else
    __asm__ volatile(
        "pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n pxor %%xmm3, %%xmm3\n"
        "pxor %%xmm4, %%xmm4\n pxor %%xmm5, %%xmm5\n pxor %%xmm6, %%xmm6\n pxor %%xmm7, %%xmm7\n"
        "pxor %%xmm8, %%xmm8\n pxor %%xmm9, %%xmm9\n pxor %%xmm10, %%xmm10\n"
        "pxor %%xmm11, %%xmm11\n pxor %%xmm12, %%xmm12\n pxor %%xmm13, %%xmm13\n"
        "pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
  if (__builtin_cpu_supports("avx512f"))
    __asm__ volatile(
        ".irp r,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "vpxorq %%zmm\\r, %%zmm\\r, %%zmm\\r\n"
        ".endr\n" ::
            : "memory");
#elif defined(__aarch64__)
  __asm__ volatile(
      ".irp r,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
      "movi v\\r\\().2d, #0\n"
      ".endr\n" ::
          : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20",
            "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory");
#endif
}

/* init_script_wipe() -> 0: zeroes the linear memory, the stack below and the registers; -EINVAL when no
 * script has begun, -EFAULT when the stack isn't shallower by 4 KiB than where it began: some of what it
 * used would be missed. */
napi_value sys_init_script_wipe(napi_env env, napi_callback_info info) {
  (void)info;
  if (!memory.bytes) return give_int32(env, -EINVAL);
  uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = stack_bottom(here - 65536);
  bool missed = here < memory.stack + 4096;
  wipe((uintptr_t)memory.bytes, (uintptr_t)memory.bytes + memory.size);
  memory.bytes = NULL;
  memory.size = 0;
  wipe(low, here - 32768);
  wipe_stack(here - 65536, 3);
  wipe_stack(here - 65536, 0);
  wipe_registers();
  return give_int32(env, missed ? -EFAULT : 0);
}

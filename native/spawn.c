/* Starting a program: one call that does what vfork and exec do, and all that is set up between them.
 *
 * The child shares the parent's memory (CLONE_VM) on a stack of its own, and the calling thread
 * stands still until the child has executed its program or given up (CLONE_VFORK). So the cost does
 * not depend on how large the process is, and the child reports a failure by writing it down. With a
 * seccomp filter the memory is copied instead: a filter that kills could otherwise have the kernel
 * dump, or on old kernels kill, everything that shares it.
 *
 * Everything that allocates happens before clone. The child makes system calls and writes to its
 * stack, to errno and to `report`, and to nothing else; calls that glibc wraps with a meaning for the
 * whole process (set*id) or with a cache are made by number. All signals are blocked around clone, so
 * that no handler of the parent runs in the child. */
#include "util.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fault.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

/* Indices into the numbers that JavaScript gives; src/sys/spawn.ts has the same list. Descriptors: -1
 * is none. */
enum {
  FLAGS,
  PROGRAM_FD,      /* or -1: the paths are tried in turn */
  PATHS,           /* how many strings are paths of the program */
  ARGUMENTS,       /* how many are its arguments */
  VARIABLES,       /* how many are its environment */
  PID_VARIABLE,    /* index of the variable that gets the child's pid as its value, or -1 */
  STREAMS,         /* 10 descriptors for 0 to 9; STREAM_SHARE: as it is; STREAM_CLOSED_PIPE */
  POLICY = STREAMS + 10, /* of the scheduler, or -1 */
  PRIORITY,
  PROCESS_GROUP,
  CONTROLLING_TERMINAL,
  FOREGROUND,
  RUID, EUID, RGID, EGID,
  GROUPS,          /* how many, or -1: unchanged */
  UMASK,           /* or -1 */
  DEATH_SIGNAL,    /* or 0 */
  DIRECTORY_FD,
  NAMESPACES,      /* 5 descriptors, in the order of `namespaces` */
  RULESET = NAMESPACES + 5,
  LIMITS,          /* how many resource limits */
  NUMBERS
};
enum { STREAM_SHARE = -1, STREAM_CLOSED_PIPE = -2 };
enum {
  HAS_DIRECTORY = 1,  /* the first string is the working directory */
  NEW_SESSION = 2,
  SET_PROCESS_GROUP = 4,
  NO_NEW_PRIVS = 8,
  AS_EXECVP = 16      /* a file that is no program is given to the shell */
};

static const int namespaces[5] = {
  CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET,
};

/* What failed. src/sys/spawn.ts has the same list. */
enum step {
  STEP_CLONE, STEP_PROGRAM, STEP_STREAM_0, STEP_STREAM_9 = STEP_STREAM_0 + 9,
  STEP_SCHEDULER, STEP_SESSION, STEP_PROCESS_GROUP, STEP_GROUPS, STEP_GID, STEP_UID, STEP_DEATH_SIGNAL,
  STEP_DIRECTORY, STEP_CONTROLLING_TERMINAL, STEP_FOREGROUND, STEP_NAMESPACE_0,
  STEP_NAMESPACE_4 = STEP_NAMESPACE_0 + 4, STEP_LIMITS, STEP_NO_NEW_PRIVS, STEP_RULESET, STEP_FILTER,
  STEP_CLOSE
};

struct limit {
  int resource;
  struct rlimit value;
};

/* The child's stack, and what it has to say above it. */
struct report {
  int error;
  enum step step;
};
enum { STACK = 64 * 1024, LOWEST_OWN = 10 };

struct plan {
  int32_t number[NUMBERS];
  char *directory, **paths, **arguments, **variables, **shell_arguments;
  char *pid_digits; /* where the child writes its pid; NULL: nowhere */
  gid_t *groups;
  struct limit *limits;
  struct sock_fprog filter;
  int exec_fault; /* for tests */
  pid_t parent;
  struct report *report;
};

/* ── in the child ──────────────────────────────────────────────────────────────────────────────── */

_Noreturn static void give_up(struct plan *p, enum step step) {
  p->report->error = errno;
  p->report->step = step;
  for (;;) syscall(SYS_exit_group, 127);
}

static void check(struct plan *p, enum step step, long result) {
  if (result < 0) give_up(p, step);
}

static void write_digits(char *at, unsigned number) {
  char digits[12];
  int n = 0;
  do digits[n++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  while (n > 0) *at++ = digits[--n];
  *at = 0;
}

static void default_signals(void) {
  struct sigaction standard;
  memset(&standard, 0, sizeof standard);
  standard.sa_handler = SIG_DFL;
  /* 32 and 33 are glibc's own, and it would refuse them. The kernel's struct is all zeros, too. */
  for (int s = 1; s <= 64; s++)
    if (s != SIGKILL && s != SIGSTOP) syscall(SYS_rt_sigaction, s, &standard, NULL, 8);
}

static void block_signals(int how, const uint64_t *mask, uint64_t *before) {
  syscall(SYS_rt_sigprocmask, how, mask, before, sizeof *mask);
}

/* A descriptor that blocks, numbered above those that programs see. Ours never block, and O_NONBLOCK
 * belongs to the open file description, so pipes and terminals are opened anew; where that isn't
 * possible a standard stream's flag is taken off. Other descriptors are passed as they are then. */
static int own_source(int fd, bool is_standard) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -1;
  if (flags & O_NONBLOCK && !(flags & O_PATH)) {
    struct stat s;
    bool opens_anew = fstat(fd, &s) == 0 &&
                      (S_ISFIFO(s.st_mode) || (S_ISCHR(s.st_mode) && s.st_rdev != makedev(5, 2)));
    char path[32] = "/proc/self/fd/";
    write_digits(path + strlen(path), (unsigned)fd);
    int keep = O_ACCMODE | O_APPEND | O_DIRECT;
    int own = !opens_anew ? -1 : open(path, (flags & keep) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) {
      fcntl(own, F_SETFL, flags & keep & ~O_ACCMODE);
      fd = own;
    } else if (is_standard) {
      fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
  }
  return fd >= LOWEST_OWN ? fd : fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_OWN);
}

/* The end of a pipe whose other end is closed: reading ends at once, writing gives EPIPE. */
static int closed_pipe(bool for_reading) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  return fcntl(ends[for_reading ? 0 : 1], F_DUPFD_CLOEXEC, LOWEST_OWN);
}

static int close_all_at_exec(void) {
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return 0;
  if (errno != ENOSYS && errno != EINVAL) return -1; /* Linux before 5.11 */
  struct rlimit open_files;
  if (getrlimit(RLIMIT_NOFILE, &open_files) < 0) return -1;
  for (int fd = 3; (rlim_t)fd < open_files.rlim_cur; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return 0;
}

static void place_streams(struct plan *p) {
  const int32_t *stream = p->number + STREAMS;
  check(p, STEP_CLOSE, close_all_at_exec());
  for (int i = 0; i < 10; i++) {
    if (stream[i] == STREAM_SHARE) {
      if (i < 3) fcntl(i, F_SETFD, 0);
      continue;
    }
    int source = stream[i] == STREAM_CLOSED_PIPE ? closed_pipe(i == 0) : stream[i];
    check(p, STEP_STREAM_0 + i, source < 0 ? -1 : dup2(source, i));
  }
}

/* Raising a hard limit needs privileges, so it comes first. The number of descriptors is lowered last,
 * when all of them are in their places. */
static void set_limits(struct plan *p, bool first) {
  for (int i = 0; i < p->number[LIMITS]; i++) {
    const struct limit *wanted = &p->limits[i];
    struct rlimit value = wanted->value;
    if (wanted->resource == RLIMIT_NOFILE && first) {
      struct rlimit now;
      if (getrlimit(RLIMIT_NOFILE, &now) < 0 || value.rlim_max <= now.rlim_max) continue;
      value.rlim_cur = now.rlim_cur;
    } else if ((wanted->resource == RLIMIT_NOFILE) == first) {
      continue;
    }
    check(p, STEP_LIMITS, setrlimit((__rlimit_resource_t)wanted->resource, &value));
  }
}

static void set_ids(struct plan *p) {
  const int32_t *n = p->number;
  if (n[GROUPS] >= 0) check(p, STEP_GROUPS, syscall(SYS_setgroups, (long)n[GROUPS], p->groups));
  if (n[RGID] != -1 || n[EGID] != -1)
    check(p, STEP_GID, syscall(SYS_setresgid, (gid_t)n[RGID], (gid_t)n[EGID], (gid_t)n[EGID]));
  if (n[RUID] != -1 || n[EUID] != -1)
    check(p, STEP_UID, syscall(SYS_setresuid, (uid_t)n[RUID], (uid_t)n[EUID], (uid_t)n[EUID]));
}

static void set_terminal(struct plan *p) {
  const int32_t *n = p->number;
  if (n[CONTROLLING_TERMINAL] >= 0)
    check(p, STEP_CONTROLLING_TERMINAL, ioctl(n[CONTROLLING_TERMINAL], TIOCSCTTY, 0));
  if (n[FOREGROUND] >= 0) {
    /* SIGTTOU is blocked, as all are. */
    pid_t group = (pid_t)syscall(SYS_getpgid, 0);
    check(p, STEP_FOREGROUND, ioctl(n[FOREGROUND], TIOCSPGRP, &group));
  }
}

_Noreturn static void execute(struct plan *p) {
  int error = ENOENT;
  bool denied = false;
  if (p->exec_fault != 0) {
    errno = p->exec_fault;
    give_up(p, STEP_PROGRAM);
  }
  if (p->number[PROGRAM_FD] >= 0) {
    syscall(SYS_execveat, p->number[PROGRAM_FD], "", p->arguments, p->variables, AT_EMPTY_PATH);
    give_up(p, STEP_PROGRAM);
  }
  for (char **path = p->paths; *path; path++) {
    execve(*path, p->arguments, p->variables);
    if (errno == ENOEXEC && p->number[FLAGS] & AS_EXECVP) {
      p->shell_arguments[1] = *path;
      execve("/bin/sh", p->shell_arguments, p->variables);
    }
    error = errno;
    if (error == EACCES) denied = true;
    else if (error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV &&
             error != ETIMEDOUT)
      break;
  }
  bool not_found = error == ENOENT || error == ENOTDIR;
  errno = denied && not_found && p->number[FLAGS] & AS_EXECVP ? EACCES : error;
  give_up(p, STEP_PROGRAM);
}

static int child_main(void *argument) {
  struct plan *p = argument;
  int32_t *n = p->number;
  default_signals();
  /* Before anything else may want their numbers, or take the right to open them anew. */
  for (int i = 0; i < 10; i++)
    if (n[STREAMS + i] >= 0)
      check(p, STEP_STREAM_0 + i, n[STREAMS + i] = own_source(n[STREAMS + i], i < 3));
  if (n[PROGRAM_FD] >= 0 && n[PROGRAM_FD] < LOWEST_OWN)
    check(p, STEP_PROGRAM, n[PROGRAM_FD] = fcntl(n[PROGRAM_FD], F_DUPFD_CLOEXEC, LOWEST_OWN));
  if (n[RULESET] >= 0 && n[RULESET] < LOWEST_OWN)
    check(p, STEP_RULESET, n[RULESET] = fcntl(n[RULESET], F_DUPFD_CLOEXEC, LOWEST_OWN));

  if (n[POLICY] >= 0) {
    struct sched_param parameters = {.sched_priority = n[PRIORITY]};
    check(p, STEP_SCHEDULER, syscall(SYS_sched_setscheduler, 0, (long)n[POLICY], &parameters));
  }
  if (n[FLAGS] & NEW_SESSION) check(p, STEP_SESSION, setsid());
  if (n[FLAGS] & SET_PROCESS_GROUP) check(p, STEP_PROCESS_GROUP, setpgid(0, n[PROCESS_GROUP]));
  set_limits(p, true);
  set_ids(p);
  if (n[UMASK] >= 0) umask((mode_t)n[UMASK]);
  if (n[DEATH_SIGNAL] != 0) {
    check(p, STEP_DEATH_SIGNAL, prctl(PR_SET_PDEATHSIG, (unsigned long)n[DEATH_SIGNAL]));
    if (getppid() != p->parent) syscall(SYS_kill, syscall(SYS_getpid), (long)n[DEATH_SIGNAL]);
  }
  if (p->directory) check(p, STEP_DIRECTORY, chdir(p->directory));
  if (n[DIRECTORY_FD] >= 0) check(p, STEP_DIRECTORY, fchdir(n[DIRECTORY_FD]));
  set_terminal(p);
  for (int i = 0; i < 5; i++)
    if (n[NAMESPACES + i] >= 0)
      check(p, STEP_NAMESPACE_0 + i, setns(n[NAMESPACES + i], namespaces[i]));
  place_streams(p);
  set_limits(p, false);
  if (p->pid_digits) write_digits(p->pid_digits, (unsigned)syscall(SYS_getpid));
  if (n[FLAGS] & NO_NEW_PRIVS) check(p, STEP_NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L));
  if (n[RULESET] >= 0)
    check(p, STEP_RULESET, syscall(SYS_landlock_restrict_self, n[RULESET], 0));
  uint64_t none = 0;
  block_signals(SIG_SETMASK, &none, NULL);
  if (p->filter.len > 0)
    check(p, STEP_FILTER, prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &p->filter));
  execute(p);
}

/* ── in the parent ─────────────────────────────────────────────────────────────────────────────── */

/* `count` of the strings at *text, as a list that ends with NULL. */
static char **take_strings(char ***list, char **text, int count) {
  char **first = *list;
  for (int i = 0; i < count; i++) {
    *(*list)++ = *text;
    *text += strlen(*text) + 1;
  }
  *(*list)++ = NULL;
  return first;
}

static bool array_data(napi_env env, napi_value array, void **data, size_t *count) {
  *data = NULL;
  *count = 0;
  if (napi_get_typedarray_info(env, array, NULL, count, data, NULL, NULL) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "perilune addon: a typed array was expected");
  return false;
}

static bool wrong_plan(napi_env env) {
  napi_throw_range_error(env, NULL, "perilune addon: spawn: the parts don't fit each other");
  return false;
}

/* Copies all that the child will need into one block of memory, for the caller to free. */
static bool take_plan(napi_env env, napi_value *args, struct plan *p, void **memory) {
  void *numbers, *text, *groups, *limits, *filter;
  size_t count, size, group_count, limit_count, filter_size;
  if (!array_data(env, args[0], &numbers, &count) || !array_data(env, args[1], &text, &size) ||
      !array_data(env, args[2], &groups, &group_count) ||
      !array_data(env, args[3], &limits, &limit_count) ||
      !array_data(env, args[4], &filter, &filter_size))
    return false;
  if (count != NUMBERS) return wrong_plan(env);
  memcpy(p->number, numbers, sizeof p->number);
  const int32_t *n = p->number;
  int directory = (n[FLAGS] & HAS_DIRECTORY) != 0;
  size_t strings = 0;
  for (size_t i = 0; i < size; i++) strings += ((char *)text)[i] == 0;
  if (n[PATHS] < 0 || n[ARGUMENTS] < 0 || n[VARIABLES] < 0 || n[PID_VARIABLE] >= n[VARIABLES] ||
      (size_t)directory + (size_t)n[PATHS] + (size_t)n[ARGUMENTS] + (size_t)n[VARIABLES] != strings ||
      (size > 0 && ((char *)text)[size - 1] != 0) ||
      (n[GROUPS] > 0 && (size_t)n[GROUPS] != group_count) || n[LIMITS] < 0 ||
      (size_t)n[LIMITS] * 3 != limit_count || filter_size % sizeof(struct sock_filter) != 0 ||
      filter_size / sizeof(struct sock_filter) > UINT16_MAX)
    return wrong_plan(env);
  /* Aligned parts first. `shell_arguments`: one more than the arguments, and at least two. */
  size_t lists = (strings + 5 + (size_t)n[ARGUMENTS] + 3) * sizeof(char *);
  size_t limit_size = (size_t)n[LIMITS] * sizeof(struct limit);
  size_t group_size = group_count * sizeof(gid_t);
  char *block = malloc(lists + limit_size + filter_size + group_size + size);
  *memory = block;
  if (!block) return true;
  char **list = (char **)block;
  p->limits = (struct limit *)(block + lists);
  p->filter.filter = (struct sock_filter *)(block + lists + limit_size);
  p->filter.len = (unsigned short)(filter_size / sizeof(struct sock_filter));
  p->groups = (gid_t *)(block + lists + limit_size + filter_size);
  char *at = block + lists + limit_size + filter_size + group_size;
  if (filter_size > 0) memcpy(p->filter.filter, filter, filter_size);
  if (group_size > 0) memcpy(p->groups, groups, group_size);
  if (size > 0) memcpy(at, text, size);
  for (int i = 0; i < n[LIMITS]; i++) {
    const double *given = (const double *)limits + 3 * i;
    p->limits[i].resource = (int)given[0];
    p->limits[i].value.rlim_cur =
      given[1] == __builtin_inf() ? RLIM_INFINITY : (rlim_t)given[1];
    p->limits[i].value.rlim_max =
      given[2] == __builtin_inf() ? RLIM_INFINITY : (rlim_t)given[2];
  }
  p->directory = take_strings(&list, &at, directory)[0];
  p->paths = take_strings(&list, &at, n[PATHS]);
  p->arguments = take_strings(&list, &at, n[ARGUMENTS]);
  p->variables = take_strings(&list, &at, n[VARIABLES]);
  p->shell_arguments = list;
  p->shell_arguments[0] = "/bin/sh";
  p->shell_arguments[1] = NULL; /* the script */
  int given = n[ARGUMENTS] > 0 ? n[ARGUMENTS] - 1 : 0;
  for (int i = 0; i < given; i++) p->shell_arguments[2 + i] = p->arguments[1 + i];
  p->shell_arguments[2 + given] = NULL;
  /* Its value is a string of room for the digits. */
  if (n[PID_VARIABLE] >= 0) p->pid_digits = strchr(p->variables[n[PID_VARIABLE]], '=') + 1;
  return true;
}

/* Take away what is left of a child that gave up: it has ended, or is about to. */
static void reap(pid_t pid) {
  siginfo_t status;
  while (waitid(P_PID, (id_t)pid, &status, WEXITED) < 0 && errno == EINTR) {}
}

static int run_plan(struct plan *p, int *pid, int *pidfd) {
  bool copies_memory = p->filter.len > 0;
  size_t size = STACK + sizeof(struct report);
  char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_ANONYMOUS | MAP_STACK | (copies_memory ? MAP_SHARED : MAP_PRIVATE), -1, 0);
  if (stack == MAP_FAILED) return -1;
  p->report = (struct report *)(stack + STACK);
  p->parent = getpid();
  uint64_t all = ~(uint64_t)0, before;
  block_signals(SIG_BLOCK, &all, &before);
  int flags = CLONE_VFORK | CLONE_PIDFD | SIGCHLD | (copies_memory ? 0 : CLONE_VM);
  *pid = fault(FAULT_CLONE, -1, NULL) ? -1 : clone(child_main, stack + STACK, flags, p, pidfd);
  int error = errno;
  block_signals(SIG_SETMASK, &before, NULL);
  if (*pid >= 0 && p->report->error != 0) {
    error = p->report->error;
    reap(*pid);
    close(*pidfd);
    *pid = -1;
  }
  int step = p->report->step;
  munmap(stack, size);
  errno = error;
  return *pid < 0 ? -1 - step : 0;
}

/* spawn(numbers: Int32Array, strings: Uint8Array, groups: Uint32Array, limits: Float64Array,
 *       filter: Uint8Array, out: Int32Array(3)) -> 0 with the child's [pid, pidfd], or -errno with
 * out[2] = what failed (enum step). Strings end with NUL: the working directory, if there is one;
 * paths; arguments; environment. Limits are (resource, soft, hard). No child is left behind by a
 * failure.  clone(2), execve(2) */
napi_value sys_spawn(napi_env env, napi_callback_info info) {
  napi_value args[6];
  struct plan plan;
  void *memory = NULL, *out;
  size_t out_size;
  if (!take_args(env, info, args, 6)) return NULL;
  memset(&plan, 0, sizeof plan);
  if (!array_data(env, args[5], &out, &out_size)) return NULL;
  if (out_size < 3) return wrong_plan(env), NULL;
  if (!take_plan(env, args, &plan, &memory)) return NULL;
  if (!memory) return give_int32(env, -ENOMEM);
  if (fault(FAULT_EXECVE, -1, NULL)) plan.exec_fault = errno;
  int pid = -1, pidfd = -1;
  int result = run_plan(&plan, &pid, &pidfd);
  int error = errno;
  free(memory);
  ((int32_t *)out)[0] = pid;
  ((int32_t *)out)[1] = pidfd;
  ((int32_t *)out)[2] = result < 0 ? -1 - result : 0;
  return give_int32(env, result < 0 ? -error : 0);
}

/* waitid_pidfd(pidfd, options, status: Int32Array(2)) -> 0 with [CLD_ code, exit code or signal];
 * -EAGAIN: nothing has happened; -errno (ECHILD: somebody else has waited).  waitid(2), WNOHANG */
napi_value sys_waitid_pidfd(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t pidfd, options;
  uint8_t *status;
  siginfo_t child;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &pidfd) ||
      !take_int32(env, args[1], &options) || !take_bytes(env, args[2], 0, 2, &status))
    return NULL;
  if (fault(FAULT_WAITID, pidfd, NULL)) return give_result(env, -1);
  child.si_pid = 0;
  if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &child, options | WNOHANG) < 0)
    return give_result(env, -1);
  if (child.si_pid == 0) return give_int32(env, -EAGAIN);
  memcpy(status, (int[]){child.si_code, child.si_status}, 2 * sizeof(int));
  return give_int32(env, 0);
}

/* pidfd_send_signal(pidfd, signal) -> 0 or -errno.  pidfd_send_signal(2) */
napi_value sys_pidfd_send_signal(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (fault(FAULT_PIDFD_SEND_SIGNAL, arg[0], NULL)) return give_result(env, -1);
  return give_result(env, syscall(SYS_pidfd_send_signal, arg[0], arg[1], NULL, 0));
}

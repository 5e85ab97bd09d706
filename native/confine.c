/* Giving up rights one by one: capabilities, Landlock, no_new_privs. What the kernel keeps for each thread is changed
 * in all of them here, as setuid(3) does it: the caller first, and if that fails nothing has happened;
 * then each other thread by a signal whose handler makes the same call. A thread where it fails, or that doesn't
 * answer, would keep what the program believes to have given up: the process ends then. */
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* ── all threads ───────────────────────────────────────────────────────────────────────────────── */

/* glibc's own, for setxid: it is never blocked. Its handler is put back afterwards. */
#define BROADCAST_SIGNAL 33
enum { MOST_THREADS = 4096, POLL_NS = 20000, MOST_POLLS = 500000 /* ten seconds */ };

static pthread_mutex_t broadcast_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  long number;
  long argument[6];
} broadcast_call;
/* The threads there are, and which of them have made the call (or needn't). */
static int threads[MOST_THREADS];
static _Atomic int thread_count;
static _Atomic bool answered[MOST_THREADS];
static _Atomic int failures;

static long make_call(void) {
  const long *a = broadcast_call.argument;
  return syscall(broadcast_call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void on_broadcast(int number) {
  (void)number;
  int saved = errno;
  if (make_call() < 0) atomic_fetch_add(&failures, 1);
  int own = (int)syscall(SYS_gettid), count = atomic_load(&thread_count);
  for (int i = 0; i < count; i++)
    if (threads[i] == own) atomic_store(&answered[i], true);
  errno = saved;
}

/* The kernel's struct sigaction: glibc's function refuses the signal. */
struct kernel_sigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)(void);
  uint64_t mask;
};

#if defined __x86_64__
#define SA_RESTORER 0x04000000
__attribute__((naked, noinline)) static void restorer(void) {
  __asm__ volatile("mov $15, %eax\n\tsyscall"); /* rt_sigreturn */
}
#endif

static long set_handler(const struct kernel_sigaction *new_one, struct kernel_sigaction *old_one) {
  return syscall(SYS_rt_sigaction, BROADCAST_SIGNAL, new_one, old_one, sizeof(uint64_t));
}

_Noreturn static void end_process(const char *why) {
  fprintf(stderr, "perilune: %s: a thread would have kept its rights\n", why);
  abort();
}

/* Threads of the kernel's that are listed with ours (io_uring) take no signals and run no code of ours. */
static bool is_kernels(int task, const char *name) {
  char path[300], text[512];
  snprintf(path, sizeof path, "%s/stat", name);
  int fd = openat(task, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT; /* it has ended; or Landlock hides it from us already */
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return true;
  text[length] = 0;
  const char *at = strrchr(text, ')');
  unsigned flags = 0;
  char state = 0;
  const unsigned io_worker = 0x10, user_worker = 0x4000, kernel_thread = 0x200000;
  if (!at || sscanf(at + 2, "%c %*d %*d %*d %*d %*d %u", &state, &flags) != 2) return true;
  return state == 'Z' || state == 'X' || flags & (io_worker | user_worker | kernel_thread);
}

/* Note those that are new. Returns the number of the first of them. */
static int find_threads(DIR *directory) {
  int own = (int)syscall(SYS_gettid), before = atomic_load(&thread_count);
  rewinddir(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    int thread = atoi(entry->d_name), count = atomic_load(&thread_count), i = 0;
    if (thread <= 0 || thread == own) continue;
    while (i < count && threads[i] != thread) i++;
    if (i < count) continue;
    if (count == MOST_THREADS) end_process("too many threads");
    threads[count] = thread;
    atomic_store(&answered[count], is_kernels(dirfd(directory), entry->d_name));
    atomic_store(&thread_count, count + 1);
  }
  return before;
}

static void signal_from(int first) {
  pid_t process = getpid();
  int count = atomic_load(&thread_count);
  for (int i = first; i < count; i++)
    if (!atomic_load(&answered[i]) && syscall(SYS_tgkill, process, threads[i], BROADCAST_SIGNAL) < 0)
      atomic_store(&answered[i], true); /* it has ended */
}

static void wait_for_answers(void) {
  pid_t process = getpid();
  int count = atomic_load(&thread_count), polls = 0;
  for (int i = 0; i < count; polls++) {
    if (atomic_load(&answered[i])) {
      i++;
      continue;
    }
    if (polls == MOST_POLLS) end_process("a thread doesn't answer");
    if (polls > 1000 && syscall(SYS_tgkill, process, threads[i], 0) < 0) i++; /* it has ended */
    else nanosleep(&(struct timespec){0, POLL_NS}, NULL);
  }
}

/* Returns the call's result in this thread. */
static long on_all_threads(long number, long a, long b, long c, long d, long e) {
  pthread_mutex_lock(&broadcast_lock);
  broadcast_call.number = number;
  memcpy(broadcast_call.argument, (long[]){a, b, c, d, e, 0}, sizeof broadcast_call.argument);
  atomic_store(&thread_count, 0);
  atomic_store(&failures, 0);
  /* Looked at before the call, which may take the right to do so. */
  DIR *directory = opendir("/proc/self/task");
  if (!directory) {
    pthread_mutex_unlock(&broadcast_lock);
    return -1;
  }
  int first = find_threads(directory);
  long result = make_call();
  int error = errno;
  if (result >= 0) {
    struct kernel_sigaction ours = {.handler = on_broadcast, .flags = SA_RESTART, .mask = ~(uint64_t)0};
    struct kernel_sigaction before;
#if defined __x86_64__
    ours.flags |= SA_RESTORER;
    ours.restorer = restorer;
#endif
    if (set_handler(&ours, &before) < 0) end_process("rt_sigaction");
    /* A thread that has not changed yet may have made another meanwhile. */
    do {
      signal_from(first);
      wait_for_answers();
      first = find_threads(directory);
    } while (first < atomic_load(&thread_count));
    if (atomic_load(&failures) > 0) end_process("a call failed in another thread");
    set_handler(&before, NULL);
  }
  closedir(directory);
  pthread_mutex_unlock(&broadcast_lock);
  errno = error;
  return result;
}

/* ── capabilities ──────────────────────────────────────────────────────────────────────────────── */

enum { CAP_WORDS = 6 }; /* effective, permitted, inheritable: the low halves, then the high ones */

static bool take_words(napi_env env, napi_value array, uint32_t **words) {
  napi_typedarray_type type;
  size_t count = 0;
  void *data = NULL;
  if (napi_get_typedarray_info(env, array, &type, &count, &data, NULL, NULL) == napi_ok &&
      type == napi_uint32_array && count >= CAP_WORDS) {
    *words = data;
    return true;
  }
  napi_throw_type_error(env, NULL, "perilune addon: a Uint32Array(6) was expected");
  return false;
}

/* capget(pid, sets: Uint32Array(6)) -> 0 or -errno; 0 is the caller.  capget(2) */
napi_value sys_capget(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t pid;
  uint32_t *words;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &pid) ||
      !take_words(env, args[1], &words))
    return NULL;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, pid};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) < 0) return give_result(env, -1);
  memcpy(words, sets, sizeof sets);
  return give_int32(env, 0);
}

/* capset(sets: Uint32Array(6)) -> 0 or -errno, in all threads.  capset(2) */
napi_value sys_capset(napi_env env, napi_callback_info info) {
  napi_value args[1];
  uint32_t *words;
  if (!take_args(env, info, args, 1) || !take_words(env, args[0], &words)) return NULL;
  static struct __user_cap_header_struct header;
  static struct __user_cap_data_struct sets[2];
  header.version = _LINUX_CAPABILITY_VERSION_3;
  header.pid = 0; /* each thread itself */
  memcpy(sets, words, sizeof sets);
  return give_result(env, on_all_threads(SYS_capset, (long)&header, (long)sets, 0, 0, 0));
}

/* prctl_get(option, argument, argument) -> its result or -errno.  prctl(2) */
napi_value sys_prctl_get(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  return give_result(env, prctl(arg[0], (long)arg[1], (long)arg[2], 0L, 0L));
}

/* prctl_all(option, argument, argument) -> 0 or -errno, in all threads.  prctl(2) */
napi_value sys_prctl_all(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  return give_result(env, on_all_threads(SYS_prctl, arg[0], arg[1], arg[2], 0, 0));
}

/* ── Landlock ───────────────────────────────────────────────────────────────────────────────────── */

/* landlock_create_ruleset(files, net, scopes, flags) -> a descriptor, or with flags a number; or
 * -errno. The first three are bits; with flags they aren't looked at.  landlock_create_ruleset(2) */
napi_value sys_landlock_create_ruleset(napi_env env, napi_callback_info info) {
  int32_t arg[4];
  if (!take_int32s(env, info, arg, 4)) return NULL;
  if (arg[3] != 0)
    return give_result(env, syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, arg[3]));
  uint64_t attributes[3] = {(uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2]};
  size_t size = arg[2] ? 24 : arg[1] ? 16 : 8; /* as old kernels know it */
  return give_result(env, syscall(SYS_landlock_create_ruleset, attributes, size, 0));
}

enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

/* landlock_add_rule(ruleset, type, access, what) -> 0 or -errno. `what` is a descriptor, or a port.
 * landlock_add_rule(2) */
napi_value sys_landlock_add_rule(napi_env env, napi_callback_info info) {
  int32_t arg[4];
  if (!take_int32s(env, info, arg, 4)) return NULL;
  struct {
    uint64_t allowed_access;
    int32_t parent_fd;
  } __attribute__((packed)) beneath = {(uint32_t)arg[2], arg[3]};
  uint64_t port[2] = {(uint32_t)arg[2], (uint32_t)arg[3]};
  void *rule = arg[1] == RULE_PATH_BENEATH ? (void *)&beneath : (void *)port;
  return give_result(env, syscall(SYS_landlock_add_rule, arg[0], arg[1], rule, 0));
}

/* landlock_restrict_self(ruleset) -> 0 or -errno, in all threads.  landlock_restrict_self(2) */
napi_value sys_landlock_restrict_self(napi_env env, napi_callback_info info) {
  int32_t ruleset;
  if (!take_int32s(env, info, &ruleset, 1)) return NULL;
  return give_result(env, on_all_threads(SYS_landlock_restrict_self, ruleset, 0, 0, 0, 0));
}

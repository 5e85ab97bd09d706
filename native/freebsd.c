/* What only FreeBSD has: Capsicum, jails, process descriptors, no_new_privs by procctl(2). binding.gyp says which other
 * files are built there. Nobody has run this: it has been compiled against FreeBSD's headers, and no more
 * (docs/decisions/0037-freebsd.md). */
#ifdef __FreeBSD__
#include "util.h"

#include <sys/param.h>
#include <sys/capsicum.h>
#include <sys/jail.h>
#include <sys/procctl.h>
#include <sys/procdesc.h>
#include <sys/sysctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <capsicum_helpers.h>
#include <fcntl.h>
#include <jail.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ── Capsicum ──────────────────────────────────────────────────────────────────────────────────── */

/* src/sys/capsicum.ts makes these bytes. */
_Static_assert(sizeof(cap_rights_t) == 2 * sizeof(uint64_t), "rights of version 0");
_Static_assert(sizeof(cap_ioctl_t) == sizeof(uint64_t), "a 64-bit system");

/* (fd, bytes: Uint8Array) with `size` bytes at least. */
static bool take_fd_bytes(napi_env env, napi_callback_info info, size_t size, int32_t *fd, uint8_t **bytes) {
  napi_value args[2];
  return take_args(env, info, args, 2) && take_int32(env, args[0], fd) &&
         take_bytes(env, args[1], 0, (int32_t)size, bytes);
}

/* cap_rights_limit(fd, rights: Uint8Array(16)) -> 0 or -errno.  cap_rights_limit(2) */
napi_value sys_cap_rights_limit(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  cap_rights_t rights;
  if (!take_fd_bytes(env, info, sizeof rights, &fd, &bytes)) return NULL;
  memcpy(&rights, bytes, sizeof rights);
  return give_result(env, cap_rights_limit(fd, &rights));
}

/* cap_rights_get(fd, rights: Uint8Array(16)) -> 0 or -errno.  cap_rights_get(3) */
napi_value sys_cap_rights_get(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  cap_rights_t rights;
  if (!take_fd_bytes(env, info, sizeof rights, &fd, &bytes)) return NULL;
  int result = cap_rights_get(fd, &rights);
  if (result == 0) memcpy(bytes, &rights, sizeof rights);
  return give_result(env, result);
}

/* (fd, commands: BigUint64Array) */
static bool take_commands(napi_env env, napi_callback_info info, int32_t *fd, cap_ioctl_t **commands,
                          size_t *count) {
  napi_value args[2];
  napi_typedarray_type type;
  void *data = NULL;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], fd)) return false;
  if (napi_get_typedarray_info(env, args[1], &type, count, &data, NULL, NULL) == napi_ok &&
      type == napi_biguint64_array) {
    *commands = data;
    return true;
  }
  napi_throw_type_error(env, NULL, "perilune addon: a BigUint64Array was expected");
  return false;
}

/* cap_ioctls_limit(fd, commands: BigUint64Array) -> 0 or -errno.  cap_ioctls_limit(2) */
napi_value sys_cap_ioctls_limit(napi_env env, napi_callback_info info) {
  int32_t fd;
  cap_ioctl_t *commands;
  size_t count;
  if (!take_commands(env, info, &fd, &commands, &count)) return NULL;
  return give_result(env, cap_ioctls_limit(fd, commands, count));
}

/* cap_ioctls_get(fd, commands: BigUint64Array) -> how many there are, which may be more than fit; INT32_MAX: all are
 * allowed; or -errno.  cap_ioctls_get(2) */
napi_value sys_cap_ioctls_get(napi_env env, napi_callback_info info) {
  int32_t fd;
  cap_ioctl_t *commands;
  size_t count;
  if (!take_commands(env, info, &fd, &commands, &count)) return NULL;
  ssize_t all = cap_ioctls_get(fd, commands, count);
  return give_result(env, all >= INT32_MAX ? INT32_MAX : (long)all);
}

/* cap_fcntls_limit(fd, rights) -> 0 or -errno.  cap_fcntls_limit(2) */
napi_value sys_cap_fcntls_limit(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, cap_fcntls_limit(arg[0], (uint32_t)arg[1]));
}

/* cap_fcntls_get(fd) -> rights or -errno.  cap_fcntls_get(2) */
napi_value sys_cap_fcntls_get(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint32_t rights = 0;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  int result = cap_fcntls_get(fd, &rights);
  return give_result(env, result < 0 ? -1 : (long)rights);
}

/* caph_limit_stdio() -> 0 or -errno.  capsicum_helpers(3) */
napi_value sys_caph_limit_stdio(napi_env env, napi_callback_info info) {
  (void)info;
  return give_result(env, caph_limit_stdio());
}

/* cap_enter() -> 0 or -errno, for the whole process and for good.  cap_enter(2) */
napi_value sys_cap_enter(napi_env env, napi_callback_info info) {
  (void)info;
  return give_result(env, cap_enter());
}

/* cap_getmode() -> 1 in capability mode, 0, or -errno.  cap_getmode(2) */
napi_value sys_cap_getmode(napi_env env, napi_callback_info info) {
  (void)info;
  u_int mode = 0;
  return give_result(env, cap_getmode(&mode) < 0 ? -1 : (long)mode);
}

/* procctl_no_new_privs() -> 0 or -errno.  procctl(2), PROC_NO_NEW_PRIVS_CTL */
napi_value sys_procctl_no_new_privs(napi_env env, napi_callback_info info) {
  (void)info;
#ifdef PROC_NO_NEW_PRIVS_CTL
  int enable = PROC_NO_NEW_PRIVS_ENABLE;
  return give_result(env, procctl(P_PID, getpid(), PROC_NO_NEW_PRIVS_CTL, &enable));
#else
  return give_int32(env, -EOPNOTSUPP); /* before FreeBSD 13.1 */
#endif
}

/* ── jails ─────────────────────────────────────────────────────────────────────────────────────── */

enum { NAME_ROOM = 256, MOST_PARTS = 2048 };

/* jail_parameter(name, kind: Int32Array(5)) -> 0 or -errno (ENOENT: no such parameter): CTLTYPE, what structure, libjail's
 * flags, and the sizes of a value and of an element, where there are several.  jail(3), jailparam_init */
napi_value sys_jail_parameter(napi_env env, napi_callback_info info) {
  napi_value args[2];
  char name[NAME_ROOM];
  napi_typedarray_type type;
  size_t length, count;
  void *data = NULL;
  if (!take_args(env, info, args, 2)) return NULL;
  if (napi_get_value_string_latin1(env, args[0], name, sizeof name, &length) != napi_ok ||
      napi_get_typedarray_info(env, args[1], &type, &count, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count < 5) {
    napi_throw_type_error(env, NULL, "perilune addon: a name and an Int32Array(5) were expected");
    return NULL;
  }
  if (length >= NAME_ROOM - 1) return give_int32(env, -ENOENT); /* it was cut */
  struct jailparam parameter;
  if (jailparam_init(&parameter, name) < 0) return give_result(env, -1);
  int32_t kind[5] = {parameter.jp_ctltype & CTLTYPE, parameter.jp_structtype, (int32_t)parameter.jp_flags,
                     (int32_t)parameter.jp_valuelen, (int32_t)parameter.jp_elemlen};
  memcpy(data, kind, sizeof kind);
  jailparam_free(&parameter, 1);
  return give_int32(env, 0);
}

/* jail_parameters() -> array of names, or -errno.  jail(3), jailparam_all */
napi_value sys_jail_parameters(napi_env env, napi_callback_info info) {
  (void)info;
  struct jailparam *all;
  napi_value list, name;
  int count = jailparam_all(&all);
  if (count < 0) return give_result(env, -1);
  if (napi_create_array_with_length(env, (size_t)count, &list) == napi_ok)
    for (int i = 0; i < count; i++)
      if (napi_create_string_latin1(env, all[i].jp_name, NAPI_AUTO_LENGTH, &name) == napi_ok)
        napi_set_element(env, list, (uint32_t)i, name);
  jailparam_free(all, (unsigned)count);
  free(all);
  return list;
}

/* (bytes: Uint8Array, parts: Int32Array, flags): names and values in turn; a part is an offset into the bytes and a length, and
 * one of length 0 is NULL. The lengths are then as the kernel left them: for a NULL of jail_get what it would take. */
static napi_value jail_call(napi_env env, napi_callback_info info, int call(struct iovec *, unsigned, int)) {
  napi_value args[3];
  napi_typedarray_type type;
  size_t count;
  void *data = NULL;
  int32_t flags;
  struct iovec *iov;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[2], &flags)) return NULL;
  if (napi_get_typedarray_info(env, args[1], &type, &count, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count % 4 != 0 || count > 2 * MOST_PARTS) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array of pairs was expected");
    return NULL;
  }
  int32_t *parts = data;
  if (!(iov = calloc(count / 2 + 1, sizeof *iov))) return give_int32(env, -ENOMEM);
  for (size_t i = 0; i < count / 2; i++) {
    uint8_t *base;
    if (!take_bytes(env, args[0], parts[2 * i], parts[2 * i + 1], &base)) {
      free(iov);
      return NULL;
    }
    iov[i].iov_len = (size_t)parts[2 * i + 1];
    iov[i].iov_base = iov[i].iov_len > 0 ? base : NULL;
  }
  int result = call(iov, (unsigned)(count / 2), flags), why = errno;
  for (size_t i = 0; i < count / 2; i++)
    parts[2 * i + 1] = iov[i].iov_len > INT32_MAX ? INT32_MAX : (int32_t)iov[i].iov_len;
  free(iov);
  errno = why;
  return give_result(env, result);
}

/* jail_set(bytes, parts, flags) -> jid or -errno.  jail_set(2) */
napi_value sys_jail_set(napi_env env, napi_callback_info info) { return jail_call(env, info, jail_set); }

/* jail_get(bytes, parts, flags) -> jid or -errno.  jail_get(2) */
napi_value sys_jail_get(napi_env env, napi_callback_info info) { return jail_call(env, info, jail_get); }

/* jail_remove(jid) -> 0 or -errno.  jail_remove(2) */
napi_value sys_jail_remove(napi_env env, napi_callback_info info) {
  int32_t jid;
  if (!take_int32s(env, info, &jid, 1)) return NULL;
  return give_result(env, jail_remove(jid));
}

/* jail_attach(jid) -> 0 or -errno.  jail_attach(2) */
napi_value sys_jail_attach(napi_env env, napi_callback_info info) {
  int32_t jid;
  if (!take_int32s(env, info, &jid, 1)) return NULL;
  return give_result(env, jail_attach(jid));
}

/* ── process descriptors ───────────────────────────────────────────────────────────────────────── */

enum { LOWEST_OWN = 3, STREAMS = 3 };

/* In the child, which has a copy of the memory and one thread: only system calls. Says on `report` why it gives up. */
_Noreturn static void run_program(const char *path, char **argv, char **envp, const int32_t *streams, int report) {
  int own[STREAMS], error;
  sigset_t none;
  for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
  for (int i = 0; i < STREAMS; i++)
    if ((own[i] = fcntl(streams[i], F_DUPFD_CLOEXEC, LOWEST_OWN)) < 0) goto fail;
  if ((report = fcntl(report, F_DUPFD_CLOEXEC, LOWEST_OWN)) < 0) _exit(127);
  for (int i = 0; i < STREAMS; i++)
    if (dup2(own[i], i) < 0) goto fail;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(path, argv, envp);
fail:
  error = errno;
  (void)!write(report, &error, sizeof error);
  _exit(127);
}

/* pd_spawn(texts: Uint8Array, arguments, streams: Int32Array(3), daemon, out: Int32Array(2)) -> 0 with [pid, descriptor], or
 * -errno, and then there is no process. Texts, each with its NUL: the path, as many arguments, the environment. The
 * process ends when the descriptor is closed, unless `daemon`. All descriptors of ours are closed on exec.  pdfork(2) */
napi_value sys_pd_spawn(napi_env env, napi_callback_info info) {
  napi_value args[5];
  napi_typedarray_type type, out_type;
  int32_t argc, daemon;
  void *texts = NULL, *streams = NULL, *out = NULL;
  size_t size, count, out_count, strings = 0;
  if (!take_args(env, info, args, 5) || !take_int32(env, args[1], &argc) || !take_int32(env, args[3], &daemon)) return NULL;
  if (napi_get_typedarray_info(env, args[0], NULL, &size, &texts, NULL, NULL) == napi_ok)
    for (size_t i = 0; i < size; i++) strings += ((char *)texts)[i] == 0;
  if (strings < 1 || ((char *)texts)[size - 1] != 0 || argc < 0 || (size_t)argc > strings - 1 ||
      napi_get_typedarray_info(env, args[2], &type, &count, &streams, NULL, NULL) != napi_ok ||
      napi_get_typedarray_info(env, args[4], &out_type, &out_count, &out, NULL, NULL) != napi_ok ||
      type != napi_int32_array || out_type != napi_int32_array || count < STREAMS || out_count < 2) {
    napi_throw_range_error(env, NULL, "perilune addon: pd_spawn: the parts don't fit each other");
    return NULL;
  }
  char **list = calloc(strings + 2, sizeof *list), *at = texts;
  if (!list) return give_int32(env, -ENOMEM);
  at += strlen(at) + 1; /* past the path */
  for (size_t i = 0; i < strings - 1; i++, at += strlen(at) + 1) list[i < (size_t)argc ? i : i + 1] = at;

  int report[2], descriptor = -1, error = 0;
  if (pipe2(report, O_CLOEXEC) < 0) {
    error = errno;
    free(list);
    return give_int32(env, -error);
  }
  pid_t pid = pdfork(&descriptor, PD_CLOEXEC | (daemon ? PD_DAEMON : 0));
  if (pid == 0) run_program(texts, list, list + argc + 1, streams, report[1]);
  if (pid < 0) error = errno;
  close(report[1]);
  ssize_t told = -1;
  if (pid > 0) do told = read(report[0], &error, sizeof error);
    while (told < 0 && errno == EINTR);
  close(report[0]);
  free(list);
  if (pid > 0 && told > 0) { /* it has ended, or is about to */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    close(descriptor);
  }
  if (error != 0) return give_int32(env, -error);
  memcpy(out, (int32_t[]){pid, descriptor}, 2 * sizeof(int32_t));
  return give_int32(env, 0);
}

/* pd_wait(descriptor, status: Int32Array(2)) -> 0 with [exit code, signal or 0]; -EAGAIN: it runs; or -errno.
 * pdgetpid(2), waitpid(2) */
napi_value sys_pd_wait(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *out;
  pid_t pid, ended;
  int status = 0;
  if (!take_fd_bytes(env, info, 2, &fd, &out)) return NULL; /* counted in elements, which are wider */
  if (pdgetpid(fd, &pid) < 0) return give_result(env, -1);
  do ended = waitpid(pid, &status, WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return give_result(env, -1);
  if (ended == 0) return give_int32(env, -EAGAIN);
  int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  memcpy(out, (int32_t[]){signal_number ? 128 + signal_number : WEXITSTATUS(status), signal_number}, 2 * sizeof(int32_t));
  return give_int32(env, 0);
}

/* pd_kill(descriptor, signal) -> 0 or -errno.  pdkill(2) */
napi_value sys_pd_kill(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, pdkill(arg[0], arg[1]));
}
#else
typedef int nothing_here; /* an ISO C file has a declaration at least */
#endif

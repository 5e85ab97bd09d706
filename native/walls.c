/* What a process gives up for good: privileges, system calls, files. Each wraps one mechanism; which of
 * them, and in which order, is src/sandbox/'s. */
#include "transfer.h"
#include "util.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

/* set_no_new_privs() -> 0 or -errno.  prctl(2), PR_SET_NO_NEW_PRIVS */
napi_value sys_set_no_new_privs(napi_env env, napi_callback_info info) {
  (void)info;
  return give_result(env, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* seccomp_set_mode_filter(filter: Uint8Array, length) -> 0 or -errno: an array of struct sock_filter, for all
 * threads. EBUSY: one of them has another filter; nothing is changed then.  seccomp(2) */
napi_value sys_seccomp_set_mode_filter(napi_env env, napi_callback_info info) {
  int32_t length;
  uint8_t *bytes;
  const size_t size = sizeof(struct sock_filter);
  if (!take_bytes_alone(env, info, &bytes, &length)) return NULL;
  if ((size_t)length % size != 0 || (size_t)length / size > UINT16_MAX) return give_int32(env, -EINVAL);
  struct sock_filter *filter = malloc((size_t)length + 1); /* aligned */
  if (!filter) return give_int32(env, -ENOMEM);
  memcpy(filter, bytes, (size_t)length);
  transfers_stop();
  struct sock_fprog program = {(unsigned short)((size_t)length / size), filter};
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  int error = result > 0 ? EBUSY : errno; /* positive: the thread that can't follow */
  free(filter);
  return give_int32(env, result == 0 ? 0 : -error);
}

/* seccomp_available() -> 0 or -errno: whether filters can refuse calls.  seccomp(2) */
napi_value sys_seccomp_available(napi_env env, napi_callback_info info) {
  (void)info;
  uint32_t action = SECCOMP_RET_ERRNO;
  return give_result(env, syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

/* landlock_abi() -> version, or -errno (ENOSYS, EOPNOTSUPP).  landlock_create_ruleset(2) */
napi_value sys_landlock_abi(napi_env env, napi_callback_info info) {
  (void)info;
  return give_result(env, syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
}

/* landlock_restrict_all(files: int32, net: int32, scoped: int32) -> 0 or -errno: all access of these kinds is
 * refused from now on, what is open stays open. 0: the running kernel doesn't know that kind.
 * landlock(7) */
napi_value sys_landlock_restrict_all(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  uint64_t handled[3] = {(uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2]};
  size_t size = handled[2] ? 24 : handled[1] ? 16 : 8;
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, handled, size, 0);
  if (ruleset < 0) return give_result(env, -1);
  long result = syscall(SYS_landlock_restrict_self, ruleset, 0);
  int error = errno;
  close(ruleset);
  errno = error;
  return give_result(env, result);
}

/* drop_capabilities() -> 0 or -errno: all sets, and no way to get any back. The bounding set and the secure
 * bits need CAP_SETPCAP: who hasn't got it has nothing to lose there.  capabilities(7) */
napi_value sys_drop_capabilities(napi_env env, napi_callback_info info) {
  (void)info;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int cap = 0; cap < 64; cap++)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL) break;
  prctl(PR_SET_SECUREBITS,
        SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
          SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
          SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
        0, 0, 0);
  return give_result(env, syscall(SYS_capset, &header, none));
}

/* new_session() -> 0 or -errno. EPERM: the process leads a group already.  setsid(2) */
napi_value sys_new_session(napi_env env, napi_callback_info info) {
  (void)info;
  return give_int32(env, setsid() < 0 ? -errno : 0);
}

/* empty_root() -> 0 or -errno: in a mount namespace of its own: / is an empty directory that can't be written, and
 * nothing else is mounted.  pivot_root(2) */
napi_value sys_empty_root(napi_env env, napi_callback_info info) {
  (void)info;
  static const char *const places[] = {"/tmp", "/proc", "/usr", "/dev", "/etc"};
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return give_result(env, -1);
  const char *place = NULL;
  for (size_t i = 0; !place && i < sizeof places / sizeof *places; i++)
    if (mount("none", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              "mode=0555,nr_inodes=2,size=4096") == 0)
      place = places[i];
  if (!place || chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
      umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
      mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
            NULL) < 0)
    return give_result(env, -1);
  return give_int32(env, 0);
}

/* Who the process is: ids, groups, sessions. set*id and setgroups are glibc's, for all threads. */
#include "util.h"

#include <dlfcn.h>
#include <grp.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Ids are unsigned and reach UINT32_MAX - 1; -1 keeps one. */
static bool take_array(napi_env env, napi_value array, uint32_t **out, size_t *count) {
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_get_typedarray_info(env, array, &type, count, &data, NULL, NULL) == napi_ok &&
      type == napi_uint32_array) {
    *out = data;
    return true;
  }
  napi_throw_type_error(env, NULL, "perilune addon: a Uint32Array was expected");
  return false;
}

static bool take_three(napi_env env, napi_callback_info info, uint32_t **ids) {
  napi_value args[1];
  size_t count;
  if (!take_args(env, info, args, 1) || !take_array(env, args[0], ids, &count)) return false;
  if (count >= 3) return true;
  napi_throw_range_error(env, NULL, "perilune addon: three ids were expected");
  return false;
}

/* getresuid(ids: Uint32Array(3)) -> 0 with real, effective, saved.  getresuid(2) */
napi_value sys_getresuid(napi_env env, napi_callback_info info) {
  uint32_t *ids;
  if (!take_three(env, info, &ids)) return NULL;
  return give_result(env, getresuid(&ids[0], &ids[1], &ids[2]));
}

/* getresgid(ids: Uint32Array(3)) -> 0 with real, effective, saved.  getresgid(2) */
napi_value sys_getresgid(napi_env env, napi_callback_info info) {
  uint32_t *ids;
  if (!take_three(env, info, &ids)) return NULL;
  return give_result(env, getresgid(&ids[0], &ids[1], &ids[2]));
}

/* setresuid(ids: Uint32Array(3)) -> 0 or -errno.  setresuid(2) */
napi_value sys_setresuid(napi_env env, napi_callback_info info) {
  uint32_t *ids;
  if (!take_three(env, info, &ids)) return NULL;
  return give_result(env, setresuid(ids[0], ids[1], ids[2]));
}

/* setresgid(ids: Uint32Array(3)) -> 0 or -errno.  setresgid(2) */
napi_value sys_setresgid(napi_env env, napi_callback_info info) {
  uint32_t *ids;
  if (!take_three(env, info, &ids)) return NULL;
  return give_result(env, setresgid(ids[0], ids[1], ids[2]));
}

/* getgroups(ids: Uint32Array) -> how many, or -errno (EINVAL: more than fit); an empty array asks
 * only.  getgroups(2) */
napi_value sys_getgroups(napi_env env, napi_callback_info info) {
  napi_value args[1];
  uint32_t *ids;
  size_t count;
  if (!take_args(env, info, args, 1) || !take_array(env, args[0], &ids, &count)) return NULL;
  return give_result(env, getgroups((int)count, ids));
}

/* setgroups(ids: Uint32Array) -> 0 or -errno.  setgroups(2) */
napi_value sys_setgroups(napi_env env, napi_callback_info info) {
  napi_value args[1];
  uint32_t *ids;
  size_t count;
  if (!take_args(env, info, args, 1) || !take_array(env, args[0], &ids, &count)) return NULL;
  return give_result(env, setgroups(count, ids));
}

/* getpgid(pid) -> group or -errno; 0 is the caller.  getpgid(2) */
napi_value sys_getpgid(napi_env env, napi_callback_info info) {
  int32_t pid;
  if (!take_int32s(env, info, &pid, 1)) return NULL;
  return give_result(env, getpgid(pid));
}

/* setpgid(pid, group) -> 0 or -errno.  setpgid(2) */
napi_value sys_setpgid(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, setpgid(arg[0], arg[1]));
}

/* getsid(pid) -> session or -errno; 0 is the caller.  getsid(2) */
napi_value sys_getsid(napi_env env, napi_callback_info info) {
  int32_t pid;
  if (!take_int32s(env, info, &pid, 1)) return NULL;
  return give_result(env, getsid(pid));
}

/* setsid() -> session or -errno (EPERM: a group's leader).  setsid(2) */
napi_value sys_setsid(napi_env env, napi_callback_info info) {
  (void)info;
  return give_result(env, setsid());
}

/* kill(pid, signal) -> 0 or -errno.  kill(2) */
napi_value sys_kill(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_result(env, kill(arg[0], arg[1]));
}

/* ld_library_directories() -> array of the directories where the dynamic linker looks for what the
 * executable needs; empty where it has none to ask.  dlinfo(3), RTLD_DI_SERINFO */
napi_value sys_ld_library_directories(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value list;
  Dl_serinfo size;
  if (napi_create_array(env, &list) != napi_ok) return NULL;
  void *program = dlopen(NULL, RTLD_LAZY);
  if (!program || dlinfo(program, RTLD_DI_SERINFOSIZE, &size) != 0) return list;
  Dl_serinfo *paths = malloc(size.dls_size);
  if (!paths) return list;
  if (dlinfo(program, RTLD_DI_SERINFOSIZE, paths) == 0 && dlinfo(program, RTLD_DI_SERINFO, paths) == 0) {
    for (unsigned i = 0; i < paths->dls_cnt; i++) {
      napi_value text;
      if (napi_create_string_latin1(env, paths->dls_serpath[i].dls_name, NAPI_AUTO_LENGTH, &text) == napi_ok)
        napi_set_element(env, list, i, text);
    }
  }
  free(paths);
  return list;
}

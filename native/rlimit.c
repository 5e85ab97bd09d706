/* Resource limits. */
#include "util.h"

#include <sys/resource.h>

/* Two doubles: Infinity is RLIM_INFINITY. */
static napi_value pair(napi_env env, napi_value array, double *values, bool set) {
  void *data = NULL;
  size_t count = 0;
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, array, &type, &count, &data, NULL, NULL) != napi_ok ||
      type != napi_float64_array || count < 2) {
    napi_throw_type_error(env, NULL, "perilune addon: a Float64Array(2) was expected");
    return NULL;
  }
  double *slots = data;
  for (int i = 0; i < 2; i++) {
    if (set) slots[i] = values[i];
    else values[i] = slots[i];
  }
  return array;
}

/* getrlimit(resource, limits: Float64Array(2)) -> 0 with [soft, hard], or -errno.  getrlimit(2) */
napi_value sys_getrlimit(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t resource;
  struct rlimit limit;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &resource)) return NULL;
  if (getrlimit((__rlimit_resource_t)resource, &limit) < 0) return give_result(env, -1);
  double values[2] = {
    limit.rlim_cur == RLIM_INFINITY ? __builtin_inf() : (double)limit.rlim_cur,
    limit.rlim_max == RLIM_INFINITY ? __builtin_inf() : (double)limit.rlim_max,
  };
  return pair(env, args[1], values, true) ? give_int32(env, 0) : NULL;
}

/* setrlimit(resource, limits: Float64Array(2)) -> 0 or -errno.  setrlimit(2) */
napi_value sys_setrlimit(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t resource;
  double values[2];
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &resource)) return NULL;
  if (!pair(env, args[1], values, false)) return NULL;
  struct rlimit limit = {
    values[0] == __builtin_inf() ? RLIM_INFINITY : (rlim_t)values[0],
    values[1] == __builtin_inf() ? RLIM_INFINITY : (rlim_t)values[1],
  };
  return give_result(env, setrlimit((__rlimit_resource_t)resource, &limit));
}

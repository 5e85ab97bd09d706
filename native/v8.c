/* V8's flags. Node's own way to them, `node:v8`, loads Node's streams: 5 ms. */
#include "util.h"

/* v8::V8::SetFlagsFromString(const char *): C++, which this addon isn't. NULL in a Node that doesn't export it. */
extern void v8_set_flags(const char *flags) __asm__("_ZN2v82V818SetFlagsFromStringEPKc") __attribute__((weak));

/* set_v8_flags(flags) -> 0, or -ENOSYS: those of V8's command line, which must be known to it.  v8-initialization.h */
napi_value sys_set_v8_flags(napi_env env, napi_callback_info info) {
  napi_value argument;
  char flags[512];
  size_t length;
  if (!take_args(env, info, &argument, 1)) return NULL;
  if (napi_get_value_string_latin1(env, argument, flags, sizeof flags, &length) != napi_ok || length >= sizeof flags - 1) {
    napi_throw_type_error(env, NULL, "perilune addon: flags were expected");
    return NULL;
  }
  if (v8_set_flags == NULL) return give_int32(env, -ENOSYS);
  v8_set_flags(flags);
  return give_int32(env, 0);
}

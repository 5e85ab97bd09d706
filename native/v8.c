/* V8's flags, and a way around its own slow copies. Node's own way to them, `node:v8`, loads Node's streams: 5 ms. */
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

static void nothing_to_free(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  (void)hint;
}

/* alias_of(bytes: Uint8Array) -> an ArrayBuffer of the same memory, which is kept for the life of the environment; undefined in
 * a Node that allows no such thing. Of bytes that threads share V8 copies each word for itself. */
napi_value sys_alias_of(napi_env env, napi_callback_info info) {
  napi_value argument, alias = NULL;
  napi_ref kept;
  void *data;
  size_t length;
  if (!take_args(env, info, &argument, 1)) return NULL;
  if (napi_get_typedarray_info(env, argument, NULL, &length, &data, NULL, NULL) != napi_ok ||
      napi_create_reference(env, argument, 1, &kept) != napi_ok ||
      napi_create_external_arraybuffer(env, data, length, nothing_to_free, NULL, &alias) != napi_ok)
    return NULL;
  return alias;
}

/* For attacks: any system call, from JavaScript. What an attacker has who has taken over the engine.
 *
 *   call(number, ...up to 6 of: number | typed array | string) -> result, or -errno
 *   call32(number) -> the same through the 32-bit entry
 *   threads(most) -> how many threads could be made; they wait for ever */
#define NAPI_VERSION 9
#include <errno.h>
#include <node_api.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static long take(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_number) {
    int64_t number = 0;
    napi_get_value_int64(env, value, &number);
    return (long)number;
  }
  if (type == napi_string) {
    size_t length = 0;
    napi_get_value_string_latin1(env, value, NULL, 0, &length);
    char *text = malloc(length + 1);
    napi_get_value_string_latin1(env, value, text, length + 1, &length);
    return (long)text;
  }
  void *data = NULL;
  napi_get_typedarray_info(env, value, NULL, NULL, &data, NULL, NULL);
  return (long)data;
}

static napi_value call(napi_env env, napi_callback_info info) {
  napi_value args[7], result;
  size_t count = 7;
  long number[7] = {0};
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  for (size_t i = 0; i < count && i < 7; i++) number[i] = take(env, args[i]);
  long value = syscall(number[0], number[1], number[2], number[3], number[4], number[5], number[6]);
  napi_create_int64(env, value < 0 ? -errno : value, &result);
  return result;
}

static napi_value call32(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  size_t count = 1;
  long value = -ENOSYS;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
#ifdef __x86_64__
  __asm__ volatile("int $0x80" : "=a"(value) : "a"(take(env, args[0])), "b"(0), "c"(0), "d"(0) : "memory");
#endif
  napi_create_int64(env, value, &result);
  return result;
}

static void *wait_for_ever(void *nothing) {
  for (;;) poll(NULL, 0, -1);
  return nothing;
}

static napi_value threads(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  size_t count = 1;
  pthread_attr_t attributes;
  pthread_t thread;
  long most, made = 0;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  most = take(env, args[0]);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  while (made < most && pthread_create(&thread, &attributes, wait_for_ever, NULL) == 0) made++;
  napi_create_int64(env, made, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "call", NAPI_AUTO_LENGTH, call, NULL, &function);
  napi_set_named_property(env, exports, "call", function);
  napi_create_function(env, "call32", NAPI_AUTO_LENGTH, call32, NULL, &function);
  napi_set_named_property(env, exports, "call32", function);
  napi_create_function(env, "threads", NAPI_AUTO_LENGTH, threads, NULL, &function);
  napi_set_named_property(env, exports, "threads", function);
  return exports;
}

/* Taking arguments and giving results: what every file here shares. */
#ifndef PERILUNE_UTIL_H
#define PERILUNE_UTIL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef NAPI_VERSION
#define NAPI_VERSION 9
#endif
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGS 6

/* Exactly `count` arguments, or a pending TypeError and false. */
static inline bool take_args(napi_env env, napi_callback_info info, napi_value *args,
                             size_t count) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, args, NULL, NULL) == napi_ok && given >= count)
    return true;
  napi_throw_type_error(env, NULL, "perilune addon: too few arguments");
  return false;
}

static inline bool take_int32(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "perilune addon: an int32 was expected");
  return false;
}

/* `count` int32 arguments into `out`, or a pending TypeError and false. */
static inline bool take_int32s(napi_env env, napi_callback_info info, int32_t *out, size_t count) {
  napi_value args[MAX_ARGS];
  if (!take_args(env, info, args, count)) return false;
  for (size_t i = 0; i < count; i++)
    if (!take_int32(env, args[i], &out[i])) return false;
  return true;
}

/* The memory of a byte-sized typed array from `offset` on, if `length` bytes are there; otherwise
 * a pending RangeError. The element type isn't asked for (it costs as much as all the rest): a
 * wider one only makes the bound stricter. */
static inline bool take_bytes(napi_env env, napi_value array, int32_t offset, int32_t length,
                              uint8_t **out) {
  void *data = NULL;
  size_t size = 0;
  if (napi_get_typedarray_info(env, array, NULL, &size, &data, NULL, NULL) == napi_ok &&
      offset >= 0 && length >= 0 && (size_t)offset + (size_t)length <= size) {
    *out = (uint8_t *)data + offset;
    return true;
  }
  napi_throw_range_error(env, NULL, "perilune addon: bytes outside of the buffer");
  return false;
}

/* (fd, bytes, offset, length) of a transfer. */
static inline bool take_fd_and_bytes(napi_env env, napi_callback_info info, int32_t *fd,
                                     uint8_t **bytes, size_t *length) {
  napi_value args[4];
  int32_t offset, count;
  if (!take_args(env, info, args, 4) || !take_int32(env, args[0], fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_bytes(env, args[1], offset, count, bytes))
    return false;
  *length = (size_t)count;
  return true;
}

/* All arguments of a function: `bytes: Uint8Array, length`. */
static inline bool take_bytes_alone(napi_env env, napi_callback_info info, uint8_t **bytes, int32_t *length) {
  napi_value args[2];
  return take_args(env, info, args, 2) && take_int32(env, args[1], length) && take_bytes(env, args[0], 0, *length, bytes);
}

/* A system call's result: itself when it isn't negative, else -errno. */
static inline napi_value give_result(napi_env env, long result) {
  napi_value value = NULL;
  napi_create_int32(env, (int32_t)(result < 0 ? -errno : result), &value);
  return value;
}

/* Of calls that are made for each message: results[0], memory that JavaScript has, too (sys/native.ts). To make a
 * number of V8's takes two of its functions, in pages that the system call has pushed out of the processor's tables.
 * The call itself returns undefined. */
extern _Thread_local int32_t *results;

static inline napi_value give_quickly(long result) {
  results[0] = (int32_t)(result < 0 ? -errno : result);
  return NULL;
}

static inline napi_value give_int32(napi_env env, int32_t number) {
  napi_value value = NULL;
  napi_create_int32(env, number, &value);
  return value;
}

#endif

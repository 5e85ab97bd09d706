/* What bin/start.cjs needs before there is a program: files as they lie in the page cache. Reading the bundle
 * and its code cache, and copying one of them into V8's heap, would be a tenth of the time that a start takes.
 *
 * An addon of its own, of a few pages: most programs don't need the other one. */
#ifndef NAPI_VERSION
#define NAPI_VERSION 10
#endif
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <limits.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A regular file that isn't empty. @return NULL: it can't be mapped */
static void *map_file(napi_env env, napi_callback_info info, int flags, size_t *size) {
  size_t given = 1, length;
  napi_value argument;
  char path[PATH_MAX];
  if (napi_get_cb_info(env, info, &given, &argument, NULL, NULL) != napi_ok || given < 1 ||
      napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok ||
      length >= sizeof path - 1)
    return NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return NULL;
  struct stat file;
  void *bytes = MAP_FAILED;
  if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 &&
      file.st_size <= INT_MAX) {
    *size = (size_t)file.st_size;
    bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE | flags, fd, 0);
  }
  close(fd);
  return bytes == MAP_FAILED ? NULL : bytes;
}

/* text(path) -> string, one byte a code unit, or undefined. Nothing of it is read before V8 needs it.
 * The file must never be written to again: what replaces it is another file of its name. */
static napi_value text(napi_env env, napi_callback_info info) {
  size_t size;
  char *bytes = map_file(env, info, 0, &size);
  napi_value string;
  bool copied;
  if (bytes == NULL ||
      node_api_create_external_string_latin1(env, bytes, size, NULL, NULL, &string, &copied) !=
          napi_ok)
    return NULL;
  if (copied) munmap(bytes, size); /* by a Node whose heap takes nothing from outside */
  return string;
}

static void unmap(napi_env env, void *bytes, void *size) {
  (void)env;
  munmap(bytes, (size_t)size);
}

/* bytes(path) -> Uint8Array, to be read only, or undefined. */
static napi_value bytes(napi_env env, napi_callback_info info) {
  size_t size;
  void *bytes = map_file(env, info, MAP_POPULATE, &size);
  napi_value buffer, array;
  if (bytes == NULL) return NULL;
  if (napi_create_external_arraybuffer(env, bytes, size, unmap, (void *)size, &buffer) != napi_ok) {
    munmap(bytes, size);
    return NULL;
  }
  return napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &array) == napi_ok ? array
                                                                                           : NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"text", NULL, text, NULL, NULL, NULL, napi_enumerable, NULL},
      {"bytes", NULL, bytes, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, 2, functions);
  return exports;
}

/* What the files of this folder give each other. */
#ifndef PERILUNE_INIT_SCRIPT_INIT_H
#define PERILUNE_INIT_SCRIPT_INIT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

/* libc.c: one call to the native side. Sets errno when it gives -1. */
int host(enum host_call call, int64_t *args);
/* The second result, of calls with an `o` in their signature, is in the argument of that place. */
#define HOST(name, ...) host(HOST_##name, (int64_t[HOST_ARGS]){__VA_ARGS__})
#define POINTER(p) ((int64_t)(uintptr_t)(p))
_Noreturn void leave(int status); /* flushes stdio, as exit(3) */

/* main.c: prefix, text, newline on stderr */
void complain(const char *prefix, const char *text, size_t length);
void open_libraries(lua_State *L); /* main.c: all that a script has; nothing is collected from then on */

/* caps.c */
int cap_number(const char *name, size_t length); /* -1: no such capability */
struct cap_sets {
  uint64_t effective, permitted, inheritable;
};
bool cap_parse(const char *text, struct cap_sets *out);

void open_capi(lua_State *L); /* capi.c: C, mode, receive_with_fd, … */
void open_bit(lua_State *L);  /* bit.c */

#endif

/* The exports: a state, a script in it, and how a script that fails is reported. */
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"

#define EXPORT(name) __attribute__((export_name(#name)))

struct script {
  const char *text;
  size_t length;
  int arg;
};

/* Room for the text of a script, for `run`; 0: it doesn't fit. */
EXPORT(reserve) void *reserve(size_t length) { return malloc(length ? length : 1); }

/* What host.protect calls: f(L, ud), from where host.raise can be caught. */
EXPORT(protected_call)
void protected_call(void (*f)(void *, void *), void *L, void *ud) { f(L, ud); }

/* Before the end: a standard error stream that nobody reads must not decide how that is. */
static void put(const char *text, size_t length) {
  while (length > 0) {
    int done = HOST(LAST_WORDS, POINTER(text), (int64_t)length);
    if (done <= 0) return;
    text += done;
    length -= (size_t)done;
  }
}

void complain(const char *prefix, const char *text, size_t length) {
  static char line[1024];
  size_t before = strlen(prefix);
  if (before + length + 1 > sizeof line) {
    put(prefix, before);
    put(text, length);
    put("\n", 1);
    return;
  }
  memcpy(line, prefix, before); /* one write: lines of several processes don't mix */
  memcpy(line + before, text, length);
  line[before + length] = '\n';
  put(line, before + length + 1);
}

static void report(const char *text, size_t length) {
  complain("<3>ipc_actor/init/script: ", text, length);
}
#define REPORT(text) report(text, sizeof text - 1)

/* After a trap: the stack ran out, or Lua was led astray (by hand-made bytecode). The heap may be broken, so
 * that nothing of stdio's is flushed. */
EXPORT(report_trap) _Noreturn void report_trap(int stack) {
  if (stack) REPORT("stack overflow");
  else REPORT("memory fault");
  _Exit(1);
}

void open_libraries(lua_State *L) {
  lua_gc(L, LUA_GCSTOP, 0);
  luaL_openlibs(L);
  open_bit(L);
  open_capi(L);
}

/* Calls what was loaded, or reports what it raised; anything may be raised. */
static int run_script(lua_State *L) {
  struct script *script = lua_touserdata(L, 1);
  lua_settop(L, 0);
  open_libraries(L);
  if (script->arg >= 0) {
    lua_pushinteger(L, script->arg);
    lua_setglobal(L, "arg");
  }
  lua_settop(L, 0);
  if (luaL_loadbuffer(L, script->text, script->length, "=init.script") == 0) {
    free((void *)script->text);
    if (lua_pcall(L, 0, 0, 0) == 0) return 0;
  }
  size_t length;
  const char *text = NULL;
  if (lua_isstring(L, -1) || luaL_callmeta(L, -1, "__tostring")) text = lua_tolstring(L, -1, &length);
  if (text) report(text, length);
  else {
    text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
    report(text, strlen(text));
  }
  leave(1);
}

/* Returns when the script has come to its end; one that fails ends the process with status 1. */
EXPORT(run) void run(const char *text, size_t length, int arg) {
  struct script script = {text, length, arg};
  lua_State *L = text ? luaL_newstate() : NULL;
  if (!L) {
    REPORT("not enough memory");
    leave(1);
  }
  if (lua_cpcall(L, run_script, &script) != 0) {
    size_t size;
    const char *why = lua_tolstring(L, -1, &size);
    if (why) report(why, size);
    else REPORT("error in error handling");
    leave(1);
  }
  lua_close(L);
  fflush(NULL);
}

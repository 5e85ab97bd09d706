/* A filter of native/libc-service/: values come in and go out as bytes (filter.h there). Its state is gone when the
 * instance is, so that nothing here is freed but to save room. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"

enum {
  MAX_DEPTH = 100, /* of tables in tables */
  ROOM = 65536,    /* for what `real` gives */
};

/* ---- values to bytes ---- */

struct writer {
  uint8_t *at; /* NULL: count only */
  size_t size;
};

static void put(struct writer *out, const void *bytes, size_t length) {
  if (out->at) memcpy(out->at + out->size, bytes, length);
  out->size += length;
}
static void put_tag(struct writer *out, char tag) { put(out, &tag, 1); }
static void put_count(struct writer *out, char tag, size_t count) {
  uint32_t number = (uint32_t)count;
  put_tag(out, tag);
  put(out, &number, sizeof number);
}

static void put_string(struct writer *out, lua_State *L, int index) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  put_count(out, 's', length);
  put(out, text, length);
}

static void put_value(struct writer *out, lua_State *L, int index, int depth);

/* A list has the keys 1 to n; a table with others has only strings for keys. No metamethods. */
static void put_table(struct writer *out, lua_State *L, int index, int depth) {
  if (depth == 0) luaL_error(L, "tables are nested too deeply");
  luaL_checkstack(L, 4, "tables are nested too deeply");
  size_t length = lua_objlen(L, index), count = 0, strings = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    count++;
    strings += lua_type(L, -2) == LUA_TSTRING;
  }
  if (strings == 0 && count == length) {
    put_count(out, 'l', length);
    for (size_t i = 1; i <= length; i++) {
      lua_rawgeti(L, index, (int)i);
      put_value(out, L, lua_gettop(L), depth - 1);
      lua_pop(L, 1);
    }
    return;
  }
  if (strings != count) luaL_error(L, "a table is neither a list nor has it strings for keys only");
  put_count(out, 'm', count);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    put_string(out, L, lua_gettop(L) - 1);
    put_value(out, L, lua_gettop(L), depth - 1);
  }
}

static void put_value(struct writer *out, lua_State *L, int index, int depth) {
  switch (lua_type(L, index)) {
    case LUA_TNIL: put_tag(out, 'n'); break;
    case LUA_TBOOLEAN: put_tag(out, lua_toboolean(L, index) ? 't' : 'f'); break;
    case LUA_TNUMBER: {
      lua_Number number = lua_tonumber(L, index);
      if (!(number >= -0x1p63 && number < 0x1p63) || number != (lua_Number)(int64_t)number)
        luaL_error(L, "a number is not an integer of 64 bits");
      int64_t integer = (int64_t)number;
      put_tag(out, 'i');
      put(out, &integer, sizeof integer);
      break;
    }
    case LUA_TSTRING: put_string(out, L, index); break;
    case LUA_TTABLE: put_table(out, L, index, depth); break;
    default: luaL_error(L, "a %s is no value that can be passed", luaL_typename(L, index));
  }
}

/* The values from `first` to the top, in a block of malloc's. */
static struct writer pack(lua_State *L, int first) {
  int last = lua_gettop(L);
  struct writer out = {NULL, 0};
  for (int i = first; i <= last; i++) put_value(&out, L, i, MAX_DEPTH);
  out.at = malloc(out.size + 1);
  if (!out.at) luaL_error(L, "not enough memory");
  out.size = 0;
  for (int i = first; i <= last; i++) put_value(&out, L, i, MAX_DEPTH);
  return out;
}

/* ---- bytes to values ---- */

struct reader {
  const uint8_t *at, *end;
};

static const uint8_t *get(struct reader *in, lua_State *L, size_t length) {
  if (length > (size_t)(in->end - in->at)) luaL_error(L, "values end too early");
  in->at += length;
  return in->at - length;
}
static uint32_t get_count(struct reader *in, lua_State *L) {
  uint32_t number;
  memcpy(&number, get(in, L, sizeof number), sizeof number);
  return number;
}
static void push_string(struct reader *in, lua_State *L) {
  uint32_t length = get_count(in, L);
  const uint8_t *bytes = get(in, L, length);
  lua_pushlstring(L, (const char *)bytes, length);
}

static void push_value(struct reader *in, lua_State *L, int depth) {
  luaL_checkstack(L, 4, "too many values");
  uint8_t tag = *get(in, L, 1);
  switch (tag) {
    case 'n': lua_pushnil(L); break;
    case 't':
    case 'f': lua_pushboolean(L, tag == 't'); break;
    case 'i': {
      int64_t integer;
      memcpy(&integer, get(in, L, sizeof integer), sizeof integer);
      lua_pushnumber(L, (lua_Number)integer);
      break;
    }
    case 's': push_string(in, L); break;
    case 'l':
    case 'm': {
      if (depth == 0) luaL_error(L, "tables are nested too deeply");
      uint32_t count = get_count(in, L);
      if (count > (size_t)(in->end - in->at)) luaL_error(L, "values end too early");
      lua_newtable(L);
      for (uint32_t i = 1; i <= count; i++) {
        if (tag == 'm') {
          if (*get(in, L, 1) != 's') luaL_error(L, "a key is not a string");
          push_string(in, L);
          push_value(in, L, depth - 1);
          lua_rawset(L, -3);
        } else {
          push_value(in, L, depth - 1);
          lua_rawseti(L, -2, (int)i);
        }
      }
      break;
    }
    default: luaL_error(L, "values of an unknown kind");
  }
}

/* -> their number */
static int push_all(lua_State *L, const uint8_t *bytes, size_t size) {
  struct reader in = {bytes, bytes + size};
  int before = lua_gettop(L);
  while (in.at < in.end) push_value(&in, L, MAX_DEPTH);
  return lua_gettop(L) - before;
}

/* ---- the filter ---- */

/* real(...) -> what the function behind the filter gives */
static int real(lua_State *L) {
  static uint8_t *room;
  struct writer arguments = pack(L, 1);
  if (!room) room = malloc(ROOM);
  if (!room) return luaL_error(L, "not enough memory");
  int size = HOST(REAL, POINTER(arguments.at), (int64_t)arguments.size, POINTER(room), ROOM);
  free(arguments.at);
  if (size < 0) return luaL_error(L, "real: %s", strerror(errno));
  lua_settop(L, 0);
  return push_all(L, room, (size_t)size);
}

struct filter {
  const char *name, *source, *arguments;
  size_t length, size;
};

/* What the host reads: results, or a message. */
static struct {
  int32_t failed;
  const void *bytes;
  size_t size;
} outcome;

static int run_filter(lua_State *L) {
  const struct filter *filter = lua_touserdata(L, 1);
  lua_settop(L, 0);
  open_libraries(L);
  lua_pushboolean(L, 0);
  lua_setglobal(L, "errexit");
  lua_gc(L, LUA_GCSETPAUSE, 120); /* there is 1 MiB */
  lua_gc(L, LUA_GCRESTART, 0);
  if (filter->length > 0 && filter->source[0] == LUA_SIGNATURE[0]) luaL_error(L, "bytecode is no filter");
  if (luaL_loadbuffer(L, filter->source, filter->length, filter->name) != 0) return lua_error(L);
  lua_pushcfunction(L, real);
  int count = push_all(L, (const uint8_t *)filter->arguments, filter->size);
  lua_call(L, count + 1, LUA_MULTRET);
  struct writer results = pack(L, 1);
  outcome.bytes = results.at;
  outcome.size = results.size;
  return 0;
}

/* lua_close leaves no message, nor its text. */
static void fail(const char *text, size_t length) {
  outcome.failed = 1;
  outcome.size = length;
  outcome.bytes = text;
  char *copy = malloc(length + 1);
  if (copy) outcome.bytes = memcpy(copy, text, length);
  else if (length > 0) outcome.size = 0;
}
#define FAIL(text) fail(text, sizeof text - 1)

static int describe(lua_State *L) {
  lua_settop(L, 1);
  size_t length;
  const char *text = NULL;
  if (lua_isstring(L, 1) || luaL_callmeta(L, 1, "__tostring")) text = lua_tolstring(L, -1, &length);
  if (!text) {
    text = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    length = strlen(text);
  }
  fail(text, length);
  return 0;
}

/* All is in the linear memory, where `reserve` gave room. -> where the outcome is */
__attribute__((export_name("filter"))) void *run_filter_text(const char *name, const char *source, size_t length,
                                                             const char *arguments, size_t size) {
  struct filter filter = {name, source, arguments, length, size};
  lua_State *L = luaL_newstate();
  if (!L) {
    FAIL("not enough memory");
    return &outcome;
  }
  if (lua_cpcall(L, run_filter, &filter) != 0) {
    /* What describes an error may raise one, and run out of memory. */
    lua_pushcfunction(L, describe);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 0, 0) != 0) FAIL("error in error handling");
  }
  lua_close(L);
  fflush(NULL);
  return &outcome;
}

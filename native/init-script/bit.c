/* LuaJIT's `bit`, which scripts use to combine flags: https://bitop.luajit.org/api.html */
#include "init.h"

/* A number as 32 bits, modulo 2^32. */
static uint32_t bits(lua_State *L, int n) {
  lua_Number number = luaL_checknumber(L, n);
  if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0)) return 0;
  return (uint32_t)(int64_t)__builtin_rint(number);
}
static int give(lua_State *L, uint32_t value) {
  lua_pushnumber(L, (int32_t)value);
  return 1;
}

static int tobit(lua_State *L) { return give(L, bits(L, 1)); }
static int bnot(lua_State *L) { return give(L, ~bits(L, 1)); }
static int bswap(lua_State *L) { return give(L, __builtin_bswap32(bits(L, 1))); }

#define FOLD(name, op) \
  static int name(lua_State *L) { \
    uint32_t value = bits(L, 1); \
    for (int i = 2; i <= lua_gettop(L); i++) value op bits(L, i); \
    return give(L, value); \
  }
FOLD(band, &=)
FOLD(bor, |=)
FOLD(bxor, ^=)

#define SHIFT(name, expression) \
  static int name(lua_State *L) { \
    uint32_t b = bits(L, 1), n = bits(L, 2) & 31; \
    return give(L, expression); \
  }
SHIFT(lshift, b << n)
SHIFT(rshift, b >> n)
SHIFT(arshift, (uint32_t)((int32_t)b >> n))
SHIFT(rol, b << n | b >> (-n & 31))
SHIFT(ror, b >> n | b << (-n & 31))

static int tohex(lua_State *L) {
  uint32_t b = bits(L, 1);
  int32_t n = lua_isnoneornil(L, 2) ? 8 : (int32_t)bits(L, 2);
  const char *digits = "0123456789abcdef";
  if (n < 0) {
    n = n < -8 ? 8 : -n;
    digits = "0123456789ABCDEF";
  }
  if (n > 8) n = 8;
  char text[8];
  for (int i = n; i-- > 0; b >>= 4) text[i] = digits[b & 15];
  lua_pushlstring(L, text, (size_t)n);
  return 1;
}

void open_bit(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"tobit", tobit}, {"bnot", bnot},     {"bswap", bswap},     {"band", band},
      {"bor", bor},     {"bxor", bxor},     {"lshift", lshift},   {"rshift", rshift},
      {"rol", rol},     {"arshift", arshift}, {"ror", ror},       {"tohex", tohex},
      {NULL, NULL}};
  luaL_register(L, "bit", functions);
  lua_pop(L, 1);
}

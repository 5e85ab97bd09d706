
/* Appended to luaconf.h: what Perilune's build of Lua 5.1 has its own way. */

/* Errors unwind by a JavaScript exception, thrown and caught by two imports (src/sandbox/init-script.ts).
 * It carries nothing. `f` and `ud` are names in luaD_rawrunprotected. */
__attribute__((import_module("host"), import_name("protect"))) int host_protect(void *f, void *L, void *ud);
__attribute__((import_module("host"), import_name("raise"))) _Noreturn void host_raise(void);
#undef luai_jmpbuf
#undef LUAI_THROW
#undef LUAI_TRY
#define luai_jmpbuf int
#define LUAI_THROW(L, c) host_raise();
#define LUAI_TRY(L, c, a) \
  if (host_protect((void *)(f), L, ud) && (c)->status == 0) (c)->status = -1;

/* What 5.1 keeps of 5.0, and LuaJIT doesn't: a hidden local `arg` in functions with `...`, which hid the
 * script's own, and an error for `[[` within a long string. */
#undef LUA_COMPAT_VARARG
#undef LUA_COMPAT_LSTR

/* Buffers on the stack, up to 200 deep: the stack is a fifth of the 1 MiB. */
#undef LUAL_BUFFERSIZE
#define LUAL_BUFFERSIZE 256

/* Temporary files and processes, by libc.c. */
#include <stdio.h>
FILE *host_tmpfile(void);
int host_tmpnam(char *out);
FILE *host_popen(const char *command, const char *mode);
int host_pclose(FILE *file);
#define tmpfile host_tmpfile
#undef LUA_TMPNAMBUFSIZE
#define LUA_TMPNAMBUFSIZE 32
#undef lua_tmpnam
#define lua_tmpnam(b, e) { e = host_tmpnam(b); }
#undef lua_popen
#undef lua_pclose
#define lua_popen(L, c, m) ((void)L, host_popen(c, m))
#define lua_pclose(L, file) ((void)L, host_pclose(file) != -1)

/* The script's own globals: C and what stands beside it. */
#include <errno.h>
#include <string.h>

#include <lobject.h>
#include <lstate.h>
#include <lstring.h>
#include <lzio.h>

#include "init.h"

#define PERROR_PREFIX "<3>ipc_actor/init: "

/* ---- arguments ---- */

static int64_t check_range(lua_State *L, int n, lua_Number low, lua_Number high) {
  lua_Number number = luaL_checknumber(L, n);
  if (!(number >= low && number <= high)) luaL_argerror(L, n, "out of range");
  if (number != (lua_Number)(int64_t)number) luaL_argerror(L, n, "integer expected");
  return (int64_t)number;
}
/* What fits into an int or an unsigned int. */
static int64_t check_int(lua_State *L, int n) { return check_range(L, n, -2147483648.0, 4294967295.0); }
static int64_t opt_int(lua_State *L, int n) { return lua_isnoneornil(L, n) ? 0 : check_int(L, n); }
/* A dev_t, or mount flags. */
static int64_t check_wide(lua_State *L, int n) {
  return check_range(L, n, -9007199254740992.0, 9007199254740992.0);
}
static size_t check_size(lua_State *L, int n) { return (size_t)check_range(L, n, 0, 2147483647.0); }

/* The integer on top of the stack, from inside of argument `n`; popped. */
static int64_t pop_int(lua_State *L, int n, const char *what) {
  lua_Number number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0.5;
  if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) ||
      number != (lua_Number)(int64_t)number)
    luaL_argerror(L, n, lua_pushfstring(L, "%s must be an integer", what));
  lua_pop(L, 1);
  return (int64_t)number;
}
static int64_t opt_field(lua_State *L, int n, const char *name) {
  lua_getfield(L, n, name);
  if (!lua_isnil(L, -1)) return pop_int(L, n, name);
  lua_pop(L, 1);
  return 0;
}

/* Text for the kernel, which ends it at its first NUL. */
static int64_t check_text(lua_State *L, int n) {
  size_t length;
  const char *text = luaL_checklstring(L, n, &length);
  if (strlen(text) != length) luaL_argerror(L, n, "string contains zeros");
  return POINTER(text);
}
static int64_t opt_text(lua_State *L, int n) { return lua_isnoneornil(L, n) ? 0 : check_text(L, n); }

/* ---- results ---- */

/* perror(3), and the end. */
static _Noreturn void fail(int number, const char *detail) {
  char line[256];
  strncpy(line, strerror(number), sizeof line - 1);
  line[sizeof line - 1] = 0;
  if (detail) {
    strncat(line, ": ", sizeof line - 1 - strlen(line));
    strncat(line, detail, sizeof line - 1 - strlen(line));
  }
  complain(PERROR_PREFIX, line, strlen(line));
  leave(1);
}

/* The global `errexit`, of the table that these functions were made with: whatever setfenv(0) does. */
static void exit_if_asked(lua_State *L, int number) {
  lua_pushliteral(L, "errexit");
  lua_rawget(L, LUA_ENVIRONINDEX);
  if (lua_toboolean(L, -1)) fail(number, NULL);
  lua_pop(L, 1);
}

/* result, errno */
static int give(lua_State *L, int result) {
  int number = result < 0 ? errno : 0;
  if (result < 0) exit_if_asked(L, number);
  lua_pushnumber(L, result);
  lua_pushnumber(L, number);
  return 2;
}
static int give_wide(lua_State *L, int result, int64_t value) {
  if (result < 0) return give(L, result);
  lua_pushnumber(L, (lua_Number)value);
  lua_pushnumber(L, 0);
  return 2;
}

/* ---- functions whose arguments go to the kernel as they are ---- */

/* i int, j the same or 0, w 64 bits, s text, S text or nil */
static const struct plain {
  const char *name;
  enum host_call call;
  const char *args;
} plain_functions[] = {
    {"open", HOST_OPEN, "sij"},
    {"close", HOST_CLOSE, "i"},
    {"dup", HOST_DUP, "i"},
    {"dup2", HOST_DUP2, "ii"},
    {"mkdir", HOST_MKDIR, "si"},
    {"chdir", HOST_CHDIR, "s"},
    {"link", HOST_LINK, "ss"},
    {"linkat", HOST_LINKAT, "isisi"},
    {"symlink", HOST_SYMLINK, "ss"},
    {"chown", HOST_CHOWN, "sii"},
    {"chmod", HOST_CHMOD, "si"},
    {"access", HOST_ACCESS, "si"},
    {"eaccess", HOST_EACCESS, "si"},
    {"mkfifo", HOST_MKFIFO, "si"},
    {"mknod", HOST_MKNOD, "siw"},
    {"mount", HOST_MOUNT, "SsSwS"},
    {"umount", HOST_UMOUNT, "s"},
    {"umount2", HOST_UMOUNT2, "si"},
    {"pivot_root", HOST_PIVOT_ROOT, "ss"},
    {"chroot", HOST_CHROOT, "s"},
    {"fsopen", HOST_FSOPEN, "si"},
    {"fsmount", HOST_FSMOUNT, "iii"},
    {"move_mount", HOST_MOVE_MOUNT, "isisi"},
    {"fspick", HOST_FSPICK, "isi"},
    {"open_tree", HOST_OPEN_TREE, "isi"},
    {"unshare", HOST_UNSHARE, "i"},
    {"setns", HOST_SETNS, "ii"},
    {"setsid", HOST_SETSID, ""},
    {"setpgid", HOST_SETPGID, "ii"},
    {"setresuid", HOST_SETRESUID, "iii"},
    {"setresgid", HOST_SETRESGID, "iii"},
    {"cap_reset_ambient", HOST_CAP_RESET_AMBIENT, ""},
    {"cap_set_secbits", HOST_CAP_SET_SECBITS, "i"},
    {"socket", HOST_SOCKET, "iij"},
    {"listen", HOST_LISTEN, "ii"},
};

static int call_plain(lua_State *L) {
  const struct plain *f = lua_touserdata(L, lua_upvalueindex(1));
  int64_t args[HOST_ARGS] = {0};
  for (int i = 0; f->args[i]; i++) {
    int n = i + 1;
    switch (f->args[i]) {
      case 'i': args[i] = check_int(L, n); break;
      case 'j': args[i] = opt_int(L, n); break;
      case 'w': args[i] = check_wide(L, n); break;
      case 's': args[i] = check_text(L, n); break;
      case 'S': args[i] = opt_text(L, n); break;
    }
  }
  return give(L, host(f->call, args));
}

/* ---- bytes ---- */

/* Lua's own scratch buffer: always the same room, in the linear memory like everything else. */
static char *scratch(lua_State *L, size_t size) { return luaZ_openspace(L, &G(L)->buff, size); }

/* What is there, as a string, without a run of the collector, which makes that room smaller. */
static void push_scratch(lua_State *L, const char *bytes, size_t length) {
  luaL_checkstack(L, 1, "too many values");
  setsvalue2s(L, L->top, luaS_newlstr(L, bytes, length));
  L->top++;
}

/* read(fd, size) -> string|nil, errno */
static int c_read(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size = check_size(L, 2);
  char *bytes = scratch(L, size);
  int length = HOST(READ, fd, POINTER(bytes), (int64_t)size);
  if (length < 0) {
    int number = errno;
    exit_if_asked(L, number);
    lua_pushnil(L);
    lua_pushnumber(L, number);
    return 2;
  }
  push_scratch(L, bytes, (size_t)length);
  lua_pushnumber(L, 0);
  return 2;
}

static int c_write(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  return give(L, HOST(WRITE, fd, POINTER(bytes), (int64_t)size));
}

/* write_all(fd, data) -> integer, errno */
static int write_all(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  for (size_t done = 0; done < size;) {
    int written = HOST(WRITE, fd, POINTER(bytes + done), (int64_t)(size - done));
    if (written < 0 && errno == 4 /* EINTR, on every Linux */) continue;
    if (written < 0) return give(L, -1);
    done += (size_t)written;
  }
  return give(L, (int)size);
}

/* send_with_fd(fd, data, fd2) -> result, errno */
static int send_with_fd(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  return give(L, HOST(SEND_WITH_FD, fd, POINTER(bytes), (int64_t)size, check_int(L, 3)));
}

/* receive_with_fd(fd, size) -> string|nil, fd (or -1), errno */
static int receive_with_fd(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size = check_size(L, 2);
  char *bytes = scratch(L, size);
  int64_t args[HOST_ARGS] = {fd, POINTER(bytes), (int64_t)size};
  lua_checkstack(L, 3);
  int length = host(HOST_RECEIVE_WITH_FD, args);
  int number = length < 0 ? errno : 0;
  if (length < 0) {
    exit_if_asked(L, number);
    lua_pushnil(L);
  } else push_scratch(L, bytes, (size_t)length);
  lua_pushnumber(L, length < 0 ? -1 : (lua_Number)args[3]);
  lua_pushnumber(L, number);
  return 3;
}

static int bind_unix(lua_State *L) {
  int64_t fd = check_int(L, 1);
  size_t size;
  const char *path = luaL_checklstring(L, 2, &size);
  return give(L, HOST(BIND_UNIX, fd, POINTER(path), (int64_t)size));
}

static int set_no_new_privs(lua_State *L) { return give(L, HOST(SET_NO_NEW_PRIVS)); }

/* mode(user, group, other) -> integer */
static int mode(lua_State *L) {
  int bits = 0;
  for (int n = 1; n <= 3; n++) bits = bits << 3 | (int)check_range(L, n, 0, 7);
  lua_pushinteger(L, bits);
  return 1;
}

/* ---- functions with results of their own ---- */

static int c_umask(lua_State *L) {
  lua_pushinteger(L, HOST(UMASK, check_int(L, 1)));
  return 1;
}

static int c_closefrom(lua_State *L) {
  HOST(CLOSEFROM, check_range(L, 1, 0, 2147483647.0));
  return 0;
}

static int c_makedev(lua_State *L) {
  int64_t args[HOST_ARGS] = {check_int(L, 1), check_int(L, 2)};
  return give_wide(L, host(HOST_MAKEDEV, args), args[2]);
}
static int c_dev_major(lua_State *L) {
  int64_t args[HOST_ARGS] = {check_wide(L, 1)};
  return give_wide(L, host(HOST_DEV_MAJOR, args), args[1]);
}
static int c_dev_minor(lua_State *L) {
  int64_t args[HOST_ARGS] = {check_wide(L, 1)};
  return give_wide(L, host(HOST_DEV_MINOR, args), args[1]);
}

static int c_sethostname(lua_State *L) {
  size_t size;
  const char *name = luaL_checklstring(L, 1, &size);
  return give(L, HOST(SETHOSTNAME, POINTER(name), (int64_t)size));
}
static int c_setdomainname(lua_State *L) {
  size_t size;
  const char *name = luaL_checklstring(L, 1, &size);
  return give(L, HOST(SETDOMAINNAME, POINTER(name), (int64_t)size));
}

/* setgroups({gid, …}) */
static int c_setgroups(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = lua_objlen(L, 1);
  uint32_t *groups = lua_newuserdata(L, count * sizeof *groups + 1);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    groups[i] = (uint32_t)pop_int(L, 1, "a group");
  }
  return give(L, HOST(SETGROUPS, POINTER(groups), (int64_t)(count * sizeof *groups)));
}

/* ---- mounts ---- */

/* mount_setattr(dirfd, path|nil, flags, {attr_set, attr_clr, propagation, userns_fd}) */
static int c_mount_setattr(lua_State *L) {
  int64_t dirfd = check_int(L, 1), path = opt_text(L, 2), flags = check_int(L, 3);
  luaL_checktype(L, 4, LUA_TTABLE);
  struct {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
  } attr;
  attr.attr_set = (uint64_t)opt_field(L, 4, "attr_set");
  attr.attr_clr = (uint64_t)opt_field(L, 4, "attr_clr");
  attr.propagation = (uint64_t)opt_field(L, 4, "propagation");
  attr.userns_fd = (uint64_t)opt_field(L, 4, "userns_fd");
  return give(L, HOST(MOUNT_SETATTR, dirfd, path, flags, POINTER(&attr), sizeof attr));
}

/* fsconfig(fd, cmd, key|nil, value|nil[, aux = 0, or the size of a FSCONFIG_SET_BINARY]) */
static int c_fsconfig(lua_State *L) {
  enum { FSCONFIG_SET_BINARY = 2 };
  int64_t fd = check_int(L, 1), cmd = check_int(L, 2), key = opt_text(L, 3);
  size_t size = 0;
  const char *value = NULL;
  if (!lua_isnoneornil(L, 4)) {
    value = luaL_checklstring(L, 4, &size);
    if (cmd != FSCONFIG_SET_BINARY) {
      check_text(L, 4);
      size++; /* its NUL, for the check on the other side */
    }
  }
  int64_t aux = cmd == FSCONFIG_SET_BINARY ? (int64_t)size : opt_int(L, 5);
  return give(L, HOST(FSCONFIG, fd, cmd, key, POINTER(value), (int64_t)size, aux));
}

/* ---- capabilities ---- */

static int invalid(lua_State *L, const char *constant) {
  int64_t args[HOST_ARGS] = {POINTER(constant)};
  host(HOST_CONSTANT, args);
  errno = (int)args[1];
  return give(L, -1);
}

static int c_cap_set_proc(lua_State *L) {
  const char *text = (const char *)(uintptr_t)check_text(L, 1);
  struct cap_sets sets;
  if (!cap_parse(text, &sets)) return invalid(L, "EINVAL");
  return give(L, HOST(CAPSET, (int64_t)sets.effective, (int64_t)sets.permitted,
                      (int64_t)sets.inheritable));
}
static int c_cap_drop_bound(lua_State *L) {
  size_t size;
  const char *name = luaL_checklstring(L, 1, &size);
  int number = cap_number(name, size);
  if (number < 0) return invalid(L, "EINVAL");
  return give(L, HOST(CAP_DROP_BOUND, number));
}
static int c_cap_set_ambient(lua_State *L) {
  size_t size;
  const char *name = luaL_checklstring(L, 1, &size);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  int number = cap_number(name, size);
  if (number < 0) return invalid(L, "EINVAL");
  return give(L, HOST(CAP_SET_AMBIENT, number, lua_toboolean(L, 2)));
}

/* ---- execve ---- */

struct texts {
  char *bytes;
  size_t size;
};

static void check_member(lua_State *L, int table, int index) {
  size_t length;
  if (lua_type(L, index) != LUA_TSTRING) luaL_argerror(L, table, "only strings may be in the table");
  const char *text = lua_tolstring(L, index, &length);
  if (strlen(text) != length) luaL_argerror(L, table, "string contains zeros");
}

static char *append(char *at, lua_State *L, int index, char end) {
  size_t length;
  const char *text = lua_tolstring(L, index, &length);
  memcpy(at, text, length);
  at[length] = end;
  return at + length + 1;
}

/* A list's texts one after the other, each with a NUL, in a userdata. nil: NULL. */
static struct texts pack_list(lua_State *L, int table) {
  struct texts out = {NULL, 0};
  if (lua_isnoneornil(L, table)) return out;
  luaL_checktype(L, table, LUA_TTABLE);
  int count = (int)lua_objlen(L, table);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, table, i);
    check_member(L, table, -1);
    out.size += lua_objlen(L, -1) + 1;
    lua_pop(L, 1);
  }
  char *at = out.bytes = lua_newuserdata(L, out.size + 1);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, table, i);
    at = append(at, L, -1, 0);
    lua_pop(L, 1);
  }
  return out;
}

/* The same of a map: `key=value`. */
static struct texts pack_map(lua_State *L, int table) {
  struct texts out = {NULL, 0};
  if (lua_isnoneornil(L, table)) return out;
  luaL_checktype(L, table, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    check_member(L, table, -2);
    check_member(L, table, -1);
    out.size += lua_objlen(L, -2) + lua_objlen(L, -1) + 2;
    lua_pop(L, 1);
  }
  char *at = out.bytes = lua_newuserdata(L, out.size + 1);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    at = append(at, L, -2, '=');
    at = append(at, L, -1, 0);
    lua_pop(L, 1);
  }
  return out;
}

static int exec(lua_State *L, enum host_call call, int64_t file) {
  lua_settop(L, 3);
  struct texts argv = pack_list(L, 2), envp = pack_map(L, 3);
  int64_t args[HOST_ARGS] = {file, POINTER(argv.bytes), (int64_t)argv.size, POINTER(envp.bytes),
                             (int64_t)envp.size};
  return give(L, host(call, args));
}
static int c_execve(lua_State *L) { return exec(L, HOST_EXECVE, check_text(L, 1)); }
static int c_fexecve(lua_State *L) { return exec(L, HOST_FEXECVE, check_int(L, 1)); }

/* ---- Landlock and seccomp ---- */

struct bit_name {
  const char *name;
  int bit;
};
static const struct bit_name access_fs[] = {
    {"execute", 0},     {"write_file", 1}, {"read_file", 2}, {"read_dir", 3},  {"remove_dir", 4},
    {"remove_file", 5}, {"make_char", 6},  {"make_dir", 7},  {"make_reg", 8},  {"make_sock", 9},
    {"make_fifo", 10},  {"make_block", 11}, {"make_sym", 12}, {"refer", 13},   {"truncate", 14},
    {"ioctl_dev", 15},  {NULL, 0}};
static const struct bit_name access_net[] = {{"bind_tcp", 0}, {"connect_tcp", 1}, {NULL, 0}};
static const struct bit_name scopes[] = {{"abstract_unix_socket", 0}, {"signal", 1}, {NULL, 0}};
static const struct bit_name create_flags[] = {{"version", 0}, {"errata", 1}, {NULL, 0}};
static const struct bit_name restrict_flags[] = {{"log_same_exec_off", 0},
                                                 {"log_new_exec_on", 1},
                                                 {"log_subdomains_off", 2},
                                                 {NULL, 0}};

/* A list of names as bits. A name that isn't there ends the process, whatever `errexit` says: a wall
 * with a hole in it is worse than none. */
static uint64_t name_bits(lua_State *L, int index, int argument, const struct bit_name *names) {
  uint64_t bits = 0;
  if (lua_isnoneornil(L, index)) return 0;
  if (lua_type(L, index) != LUA_TTABLE) luaL_argerror(L, argument, "list of names expected");
  size_t count = lua_objlen(L, index);
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (int)i);
    const struct bit_name *entry = names;
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
    while (entry->name && strcmp(entry->name, name) != 0) entry++;
    if (!entry->name) {
      int64_t args[HOST_ARGS] = {POINTER("EINVAL")};
      host(HOST_CONSTANT, args);
      fail((int)args[1], name);
    }
    bits |= 1ull << entry->bit;
    lua_pop(L, 1);
  }
  return bits;
}
static uint64_t field_bits(lua_State *L, int table, const char *field, const struct bit_name *names) {
  lua_getfield(L, table, field);
  uint64_t bits = name_bits(L, lua_gettop(L), table, names);
  lua_pop(L, 1);
  return bits;
}

/* landlock_create_ruleset(attr|nil[, flags]): as short an attribute as says it all, for old kernels */
static int c_landlock_create_ruleset(lua_State *L) {
  struct {
    uint64_t handled_access_fs, handled_access_net, scoped;
  } attr = {0, 0, 0};
  int64_t size = 0;
  lua_settop(L, 2);
  if (!lua_isnil(L, 1)) {
    luaL_checktype(L, 1, LUA_TTABLE);
    attr.handled_access_fs = field_bits(L, 1, "handled_access_fs", access_fs);
    attr.handled_access_net = field_bits(L, 1, "handled_access_net", access_net);
    attr.scoped = field_bits(L, 1, "scoped", scopes);
    size = attr.scoped ? 24 : attr.handled_access_net ? 16 : 8;
  }
  int64_t flags = (int64_t)name_bits(L, 2, 2, create_flags);
  return give(L, HOST(LANDLOCK_CREATE_RULESET, size ? POINTER(&attr) : 0, size, flags));
}

/* landlock_add_rule(ruleset_fd, "path_beneath", {allowed_access = {…}, parent_fd = fd}), or
 * (ruleset_fd, "net_port", {allowed_access = {…}, port = number}) */
static int c_landlock_add_rule(lua_State *L) {
  enum { PATH_BENEATH = 1, NET_PORT = 2 };
  int64_t fd = check_int(L, 1);
  const char *type = luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  if (strcmp(type, "path_beneath") == 0) {
    struct {
      uint64_t allowed_access;
      int32_t parent_fd;
    } __attribute__((packed)) attr;
    attr.allowed_access = field_bits(L, 3, "allowed_access", access_fs);
    lua_getfield(L, 3, "parent_fd");
    attr.parent_fd = (int32_t)pop_int(L, 3, "parent_fd");
    return give(L, HOST(LANDLOCK_ADD_RULE, fd, PATH_BENEATH, POINTER(&attr), sizeof attr));
  }
  if (strcmp(type, "net_port") == 0) {
    struct {
      uint64_t allowed_access, port;
    } attr;
    attr.allowed_access = field_bits(L, 3, "allowed_access", access_net);
    attr.port = (uint64_t)opt_field(L, 3, "port");
    return give(L, HOST(LANDLOCK_ADD_RULE, fd, NET_PORT, POINTER(&attr), sizeof attr));
  }
  return luaL_argerror(L, 2, "'path_beneath' or 'net_port' expected");
}

static int c_landlock_restrict_self(lua_State *L) {
  int64_t fd = check_int(L, 1);
  lua_settop(L, 2);
  return give(L, HOST(LANDLOCK_RESTRICT_SELF, fd, (int64_t)name_bits(L, 2, 2, restrict_flags)));
}

/* seccomp_set_mode_filter(bpf): an array of struct sock_filter, 8 bytes each */
static int c_seccomp_set_mode_filter(lua_State *L) {
  size_t size;
  const char *filter = luaL_checklstring(L, 1, &size);
  if (size == 0 || size % 8 != 0) return invalid(L, "EINVAL");
  return give(L, HOST(SECCOMP_SET_MODE_FILTER, POINTER(filter), (int64_t)size));
}

/* ---- of FreeBSD ---- */

/* Where these are there is no process for a script yet: so arguments are checked, and then it is ENOTSUP; with `errexit`,
 * which is how a script begins, nothing runs without the wall that it asked for. */
static int not_here(lua_State *L) { return invalid(L, "ENOTSUP"); }

static int c_jail_attach(lua_State *L) {
  check_int(L, 1);
  return not_here(L);
}
static int c_caph_cache_tzdata(lua_State *L) {
  opt_text(L, 1);
  return not_here(L);
}
static int c_unmount(lua_State *L) {
  check_text(L, 1);
  check_int(L, 2);
  return not_here(L);
}

static const struct bit_name jail_flags[] = {
    {"create", 0}, {"update", 1}, {"attach", 2}, {"dying", 3}, {NULL, 0}};

/* jail_set({name = text or boolean}[, flags]) */
static int c_jail_set(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    check_member(L, 1, -2);
    if (lua_type(L, -1) != LUA_TBOOLEAN) check_member(L, 1, -1);
    lua_pop(L, 1);
  }
  name_bits(L, 2, 2, jail_flags);
  return not_here(L);
}

/* ---- tables ---- */

/* C's __index: the constants are asked of the native side, which knows this machine's. */
static int constant(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING && strlen(lua_tostring(L, 2)) == lua_objlen(L, 2)) {
    int64_t args[HOST_ARGS] = {POINTER(lua_tostring(L, 2))};
    if (host(HOST_CONSTANT, args) == 0) {
      lua_pushnumber(L, (lua_Number)args[1]);
      return 1;
    }
  }
  lua_pushliteral(L, "key not found");
  return lua_error(L);
}

static const luaL_Reg c_functions[] = {
    {"read", c_read},
    {"write", c_write},
    {"umask", c_umask},
    {"closefrom", c_closefrom},
    {"makedev", c_makedev},
    {"dev_major", c_dev_major},
    {"dev_minor", c_dev_minor},
    {"sethostname", c_sethostname},
    {"setdomainname", c_setdomainname},
    {"setgroups", c_setgroups},
    {"mount_setattr", c_mount_setattr},
    {"fsconfig", c_fsconfig},
    {"cap_set_proc", c_cap_set_proc},
    {"cap_drop_bound", c_cap_drop_bound},
    {"cap_set_ambient", c_cap_set_ambient},
    {"execve", c_execve},
    {"fexecve", c_fexecve},
    {"landlock_create_ruleset", c_landlock_create_ruleset},
    {"landlock_add_rule", c_landlock_add_rule},
    {"landlock_restrict_self", c_landlock_restrict_self},
    {"seccomp_set_mode_filter", c_seccomp_set_mode_filter},
    {"cap_enter", not_here},
    {"caph_limit_stdio", not_here},
    {"caph_cache_tzdata", c_caph_cache_tzdata},
    {"jail_attach", c_jail_attach},
    {"jail_set", c_jail_set},
    {"unmount", c_unmount},
    {NULL, NULL}};

static const luaL_Reg global_functions[] = {{"mode", mode},
                                            {"write_all", write_all},
                                            {"send_with_fd", send_with_fd},
                                            {"receive_with_fd", receive_with_fd},
                                            {"bind_unix", bind_unix},
                                            {"set_no_new_privs", set_no_new_privs},
                                            {NULL, NULL}};

void open_capi(lua_State *L) {
  enum { PLAIN = sizeof plain_functions / sizeof *plain_functions };
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  luaL_register(L, NULL, global_functions);
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "errexit");

  lua_createtable(L, 0, PLAIN + sizeof c_functions / sizeof *c_functions);
  luaL_register(L, NULL, c_functions);
  for (int i = 0; i < PLAIN; i++) {
    lua_pushlightuserdata(L, (void *)&plain_functions[i]);
    lua_pushcclosure(L, call_plain, 1);
    lua_setfield(L, -2, plain_functions[i].name);
  }
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, constant);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "C");
  lua_pop(L, 1);
}

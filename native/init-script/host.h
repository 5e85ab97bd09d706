/* What the WebAssembly side (this folder) and native/host_calls.c share: the calls, and the block of
 * arguments that each takes. A pointer is an offset into the linear memory; 0 is NULL. */
#ifndef PERILUNE_INIT_SCRIPT_HOST_H
#define PERILUNE_INIT_SCRIPT_HOST_H

#include <stdint.h>

enum { HOST_ARGS = 8 };

/* Name, and what the arguments are, for the native side to check before the kernel sees them:
 *   i  32 bits, with a sign or without                l  64 bits
 *   s  text that ends with a NUL                      S  the same, or NULL
 *   b  bytes; their number is the next argument, n    B  the same, or NULL
 *   o  nothing: room for a second result, of 64 bits
 * The result is an int32, negative for -errno. */
#define HOST_CALLS(X) \
  X(EXIT, "i") X(LAST_WORDS, "bn") X(STRERROR, "ibn") X(CONSTANT, "so") X(GETENV, "sbn") X(CLOCK, "io") \
  X(SYSTEM, "S") X(POPEN, "sio") X(WAIT, "l") \
  X(READ, "ibn") X(WRITE, "ibn") X(OPEN, "sii") X(CLOSE, "i") X(CLOSEFROM, "i") X(DUP, "i") \
  X(DUP2, "ii") X(LSEEK, "ilio") X(ISATTY, "i") X(UNLINK, "s") X(RMDIR, "s") X(RENAME, "ss") \
  X(MKDIR, "si") X(CHDIR, "s") X(LINK, "ss") X(LINKAT, "isisi") X(SYMLINK, "ss") \
  X(CHOWN, "sii") X(CHMOD, "si") X(UMASK, "i") X(ACCESS, "si") X(EACCESS, "si") \
  X(MKFIFO, "si") X(MKNOD, "sil") X(MAKEDEV, "iio") X(DEV_MAJOR, "lo") X(DEV_MINOR, "lo") \
  X(MOUNT, "SsSlS") X(UMOUNT, "s") X(UMOUNT2, "si") X(PIVOT_ROOT, "ss") X(CHROOT, "s") \
  X(MOUNT_SETATTR, "iSibn") X(FSOPEN, "si") X(FSMOUNT, "iii") X(MOVE_MOUNT, "isisi") \
  X(FSCONFIG, "iiSBni") X(FSPICK, "isi") X(OPEN_TREE, "isi") \
  X(UNSHARE, "i") X(SETNS, "ii") X(SETHOSTNAME, "bn") X(SETDOMAINNAME, "bn") \
  X(SETSID, "") X(SETPGID, "ii") X(SETRESUID, "iii") X(SETRESGID, "iii") X(SETGROUPS, "Bn") \
  X(LAST_CAP, "") X(CAPSET, "lll") X(CAP_DROP_BOUND, "i") X(CAP_SET_AMBIENT, "ii") \
  X(CAP_RESET_AMBIENT, "") X(CAP_SET_SECBITS, "i") X(SET_NO_NEW_PRIVS, "") \
  X(EXECVE, "sBnBn") X(FEXECVE, "iBnBn") \
  X(LANDLOCK_CREATE_RULESET, "Bni") X(LANDLOCK_ADD_RULE, "iibn") X(LANDLOCK_RESTRICT_SELF, "ii") \
  X(SECCOMP_SET_MODE_FILTER, "bn") \
  X(SOCKET, "iii") X(LISTEN, "ii") X(BIND_UNIX, "ibn") X(SEND_WITH_FD, "ibni") \
  X(RECEIVE_WITH_FD, "ibno") \
  X(REAL, "bnbn") /* of filters only: the function behind it */

#define HOST_ENUM(name, signature) HOST_##name,
enum host_call { HOST_CALLS(HOST_ENUM) HOST_CALL_COUNT };

#endif

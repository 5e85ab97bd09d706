/* The slave's side of libc_service: calls that need ambient authority are answered by the master, through a socket
 * (docs/decisions/0043-libc-service.md). Each function is the one of the C library that its name ends with, and sets errno;
 * without a service, it is that function.
 *
 * Neither Node nor N-API is needed: build/Release/libc_service.so, which programs are given by LD_PRELOAD, and
 * the addon both have it. Nothing here allocates or holds a lock while it waits, so that threads, children of fork(2) and of
 * vfork(2) may all ask at once. */
#ifndef PERILUNE_LIBC_SERVICE_H
#define PERILUNE_LIBC_SERVICE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Ask through this socket from now on. -> 0 or -errno (EPROTO: it is none of a service) */
int service_begin(int fd);

bool service_is_on(void);

/* What this file is. @return false: that is the C library's affair, as for what is open, and names in directories */
bool service_status(int directory, const char *path, struct stat *out, int flags, int *result);

/* `resolve`: RESOLVE_ bits of openat2(2). */
int service_openat(int directory, const char *path, int flags, mode_t mode, uint64_t resolve);
int service_unlinkat(int directory, const char *path, int flags);
int service_renameat2(int from, const char *path, int to, const char *new_path, unsigned flags);
int service_fstatat(int directory, const char *path, struct stat *out, int flags);
int service_faccessat(int directory, const char *path, int mode, int flags);
int service_mkdirat(int directory, const char *path, mode_t mode);
int service_connect(int fd, const struct sockaddr *address, socklen_t size);
int service_bind(int fd, const struct sockaddr *address, socklen_t size);
int service_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                        struct addrinfo **out);

/* The C library's own, from who has the rest. */
int service_real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                             struct addrinfo **out);

#endif

/* libc_service in the process of an actor: calls of the addon that need ambient authority go through libc-service/client.c. */
#include "util.h"

#include "libc-service/client.h"

int service_real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                             struct addrinfo **list) {
  return getaddrinfo(node, service, hints, list);
}

/* service_begin(fd) -> 0 or -errno: EPROTO: this is no end of a service. It is asked from now on, and stays open. */
napi_value sys_service_begin(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_int32(env, service_begin(fd));
}

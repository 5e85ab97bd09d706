/* Sockets. Addresses cross as endpoint.h says, in one reused Uint8Array. */
#include "util.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "endpoint.h"
#include "fault.h"
#include "libc-service/client.h"

static bool take_fd_and_endpoint(napi_env env, napi_callback_info info, int32_t *fd,
                                 uint8_t **endpoint) {
  napi_value args[2];
  return take_args(env, info, args, 2) && take_int32(env, args[0], fd) &&
         take_bytes(env, args[1], 0, ENDPOINT_SIZE, endpoint);
}

/* socket(domain, type, protocol) -> fd or -errno; non-blocking and close-on-exec.  socket(2) */
napi_value sys_socket(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  if (fault(FAULT_SOCKET, -1, NULL)) return give_result(env, -1);
  return give_result(env, socket(arg[0], arg[1] | SOCK_NONBLOCK | SOCK_CLOEXEC, arg[2]));
}

/* bind(fd, endpoint) -> 0 or -errno.  bind(2) */
napi_value sys_bind(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *endpoint;
  struct sockaddr_storage address;
  if (!take_fd_and_endpoint(env, info, &fd, &endpoint)) return NULL;
  if (fault(FAULT_BIND, fd, NULL)) return give_result(env, -1);
  socklen_t size = unpack_endpoint(endpoint, &address);
  return give_result(env, service_bind(fd, (struct sockaddr *)&address, size));
}

/* connect(fd, endpoint) -> 0 or -errno (EINPROGRESS; EALREADY while that lasts). A family of 0 is
 * AF_UNSPEC, which dissolves the association.  connect(2) */
napi_value sys_connect(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *endpoint;
  struct sockaddr_storage address;
  if (!take_fd_and_endpoint(env, info, &fd, &endpoint)) return NULL;
  if (fault(FAULT_CONNECT, fd, NULL)) return give_result(env, -1);
  socklen_t size = unpack_endpoint(endpoint, &address);
  return give_result(env, service_connect(fd, (struct sockaddr *)&address, size));
}

/* getsockname(fd, endpoint) -> 0 with the endpoint filled in, or -errno.  getsockname(2) */
napi_value sys_getsockname(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *endpoint;
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  if (!take_fd_and_endpoint(env, info, &fd, &endpoint)) return NULL;
  if (fault(FAULT_GETSOCKNAME, fd, NULL)) return give_result(env, -1);
  int result = getsockname(fd, (struct sockaddr *)&address, &size);
  if (result == 0) pack_endpoint(&address, endpoint);
  return give_result(env, result);
}

/* getpeername(fd, endpoint) -> 0 with the endpoint filled in, or -errno.  getpeername(2) */
napi_value sys_getpeername(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *endpoint;
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  if (!take_fd_and_endpoint(env, info, &fd, &endpoint)) return NULL;
  if (fault(FAULT_GETPEERNAME, fd, NULL)) return give_result(env, -1);
  int result = getpeername(fd, (struct sockaddr *)&address, &size);
  if (result == 0) pack_endpoint(&address, endpoint);
  return give_result(env, result);
}

/* listen(fd, backlog) -> 0 or -errno.  listen(2) */
napi_value sys_listen(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (fault(FAULT_LISTEN, arg[0], NULL)) return give_result(env, -1);
  int result = listen(arg[0], arg[1]);
  if (result < 0 && errno == EPERM && service_is_on()) {
    /* Who has bound it for a sandbox has let it listen, too. */
    int listens = 0;
    socklen_t size = sizeof listens;
    if (getsockopt(arg[0], SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens) result = 0;
    else errno = EPERM;
  }
  return give_result(env, result);
}

/* accept4(fd) -> new fd, non-blocking and close-on-exec, or -errno.  accept(2) */
napi_value sys_accept4(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  if (fault(FAULT_ACCEPT4, fd, NULL)) return give_quickly(-1);
  return give_quickly(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

/* shutdown(fd, how) -> 0 or -errno.  shutdown(2) */
napi_value sys_shutdown(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (fault(FAULT_SHUTDOWN, arg[0], NULL)) return give_result(env, -1);
  return give_result(env, shutdown(arg[0], arg[1]));
}

static bool take_message(napi_env env, napi_callback_info info, int32_t *fd, uint8_t **bytes,
                         size_t *length, int32_t *flags) {
  napi_value args[5];
  int32_t offset, count;
  if (!take_args(env, info, args, 5) || !take_int32(env, args[0], fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_int32(env, args[4], flags) || !take_bytes(env, args[1], offset, count, bytes))
    return false;
  *length = (size_t)count;
  return true;
}

/* recv(fd, bytes: Uint8Array, offset, length, flags) -> bytes received or -errno.  recv(2) */
napi_value sys_recv(napi_env env, napi_callback_info info) {
  int32_t fd, flags;
  uint8_t *bytes;
  size_t length;
  if (!take_message(env, info, &fd, &bytes, &length, &flags)) return NULL;
  if (fault(FAULT_RECV, fd, &length)) return give_quickly(-1);
  return give_quickly(recv(fd, bytes, length, flags));
}

/* send(fd, bytes: Uint8Array, offset, length, flags) -> bytes taken or -errno.  send(2) */
napi_value sys_send(napi_env env, napi_callback_info info) {
  int32_t fd, flags;
  uint8_t *bytes;
  size_t length;
  if (!take_message(env, info, &fd, &bytes, &length, &flags)) return NULL;
  if (fault(FAULT_SEND, fd, &length)) return give_quickly(-1);
  return give_quickly(send(fd, bytes, length, flags));
}

static bool take_message_and_endpoint(napi_env env, napi_callback_info info, int32_t *fd,
                                      uint8_t **bytes, size_t *length, int32_t *flags,
                                      uint8_t **endpoint) {
  napi_value args[6];
  int32_t offset, count;
  if (!take_args(env, info, args, 6) || !take_int32(env, args[0], fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_int32(env, args[4], flags) || !take_bytes(env, args[1], offset, count, bytes) ||
      !take_bytes(env, args[5], 0, ENDPOINT_SIZE, endpoint))
    return false;
  *length = (size_t)count;
  return true;
}

/* recvfrom(fd, bytes: Uint8Array, offset, length, flags, endpoint) -> bytes received, with the
 * sender filled in, or -errno.  recvfrom(2) */
napi_value sys_recvfrom(napi_env env, napi_callback_info info) {
  int32_t fd, flags;
  uint8_t *bytes, *endpoint;
  size_t length;
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  if (!take_message_and_endpoint(env, info, &fd, &bytes, &length, &flags, &endpoint)) return NULL;
  if (fault(FAULT_RECVFROM, fd, &length)) return give_quickly(-1);
  ssize_t count = recvfrom(fd, bytes, length, flags, (struct sockaddr *)&address, &size);
  if (count >= 0) pack_endpoint(&address, endpoint);
  return give_quickly(count);
}

/* sendto(fd, bytes: Uint8Array, offset, length, flags, endpoint) -> bytes taken or -errno.
 * sendto(2) */
napi_value sys_sendto(napi_env env, napi_callback_info info) {
  int32_t fd, flags;
  uint8_t *bytes, *endpoint;
  size_t length;
  struct sockaddr_storage address;
  if (!take_message_and_endpoint(env, info, &fd, &bytes, &length, &flags, &endpoint)) return NULL;
  if (fault(FAULT_SENDTO, fd, &length)) return give_quickly(-1);
  socklen_t size = unpack_endpoint(endpoint, &address);
  return give_quickly(sendto(fd, bytes, length, flags, (struct sockaddr *)&address, size));
}

/* set_membership(fd, endpoint, join) -> 0 or -errno: of the multicast group that is the endpoint's
 * address, on the interface that is its scope id, or any.  ip(7) IP_ADD_MEMBERSHIP,
 * IP_DROP_MEMBERSHIP; ipv6(7) IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP */
napi_value sys_set_membership(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, join;
  uint8_t *endpoint;
  struct sockaddr_storage address;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) ||
      !take_bytes(env, args[1], 0, ENDPOINT_SIZE, &endpoint) || !take_int32(env, args[2], &join))
    return NULL;
  if (fault(FAULT_SETSOCKOPT, fd, NULL)) return give_result(env, -1);
  unpack_endpoint(endpoint, &address);
  if (address.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
    struct ipv6_mreq group = {in6->sin6_addr, in6->sin6_scope_id};
    int option = join ? IPV6_ADD_MEMBERSHIP : IPV6_DROP_MEMBERSHIP;
    return give_result(env, setsockopt(fd, IPPROTO_IPV6, option, &group, sizeof group));
  }
  struct ip_mreqn group = {((const struct sockaddr_in *)&address)->sin_addr, {INADDR_ANY}, 0};
  int option = join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
  return give_result(env, setsockopt(fd, IPPROTO_IP, option, &group, sizeof group));
}

/* set_multicast_interface(fd, endpoint) -> 0 or -errno: send multicasts through the interface that
 * has this IPv4 address.  ip(7), IP_MULTICAST_IF */
napi_value sys_set_multicast_interface(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *endpoint;
  struct sockaddr_storage address;
  if (!take_fd_and_endpoint(env, info, &fd, &endpoint)) return NULL;
  if (fault(FAULT_SETSOCKOPT, fd, NULL)) return give_result(env, -1);
  unpack_endpoint(endpoint, &address);
  const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
  return give_result(
    env, setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &in->sin_addr, sizeof in->sin_addr));
}

/* setsockopt_int(fd, level, option, value) -> 0 or -errno.  setsockopt(2) */
napi_value sys_setsockopt_int(napi_env env, napi_callback_info info) {
  int32_t arg[4];
  if (!take_int32s(env, info, arg, 4)) return NULL;
  if (fault(FAULT_SETSOCKOPT, arg[0], NULL)) return give_result(env, -1);
  return give_result(env, setsockopt(arg[0], arg[1], arg[2], &arg[3], sizeof arg[3]));
}

/* getsockopt_int(fd, level, option, value: Int32Array(1)) -> 0 with value[0] set, or -errno. */
napi_value sys_getsockopt_int(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t arg[3];
  uint8_t *out;
  if (!take_args(env, info, args, 4) || !take_bytes(env, args[3], 0, 1, &out)) return NULL;
  for (int i = 0; i < 3; i++)
    if (!take_int32(env, args[i], &arg[i])) return NULL;
  if (fault(FAULT_GETSOCKOPT, arg[0], NULL)) return give_result(env, -1);
  int value = 0;
  socklen_t size = sizeof value;
  int result = getsockopt(arg[0], arg[1], arg[2], &value, &size);
  if (result == 0) memcpy(out, &value, sizeof value);
  return give_result(env, result);
}

/* set_linger(fd, on, seconds) -> 0 or -errno.  socket(7), SO_LINGER */
napi_value sys_set_linger(napi_env env, napi_callback_info info) {
  int32_t arg[3];
  if (!take_int32s(env, info, arg, 3)) return NULL;
  struct linger value = {arg[1], arg[2]};
  return give_result(env, setsockopt(arg[0], SOL_SOCKET, SO_LINGER, &value, sizeof value));
}

/* get_linger(fd) -> the seconds, plus 2^30 while it is off; or -errno.  socket(7), SO_LINGER */
napi_value sys_get_linger(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct linger value;
  socklen_t size = sizeof value;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &value, &size) < 0) return give_result(env, -1);
  int32_t seconds = value.l_linger & 0x3fffffff;
  return give_int32(env, value.l_onoff ? seconds : seconds | 0x40000000);
}

/* sockatmark(fd) -> 1 at the out-of-band mark, else 0; or -errno.  sockatmark(3) */
napi_value sys_sockatmark(napi_env env, napi_callback_info info) {
  int32_t fd;
  int mark = 0;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  return give_result(env, ioctl(fd, SIOCATMARK, &mark) < 0 ? -1 : mark != 0);
}

/* if_nametoindex(name: string) -> index or -errno.  if_nametoindex(3) */
napi_value sys_if_nametoindex(napi_env env, napi_callback_info info) {
  napi_value arg;
  char name[IF_NAMESIZE + 1] = "";
  if (!take_args(env, info, &arg, 1)) return NULL;
  if (napi_get_value_string_latin1(env, arg, name, sizeof name, NULL) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: a string was expected");
    return NULL;
  }
  unsigned index = if_nametoindex(name);
  return give_result(env, index ? (long)index : -1);
}

/* if_indextoname(index) -> name, or -errno (a number).  if_indextoname(3) */
napi_value sys_if_indextoname(napi_env env, napi_callback_info info) {
  int32_t index;
  char name[IF_NAMESIZE + 1] = "";
  napi_value result = NULL;
  if (!take_int32s(env, info, &index, 1)) return NULL;
  if (!if_indextoname((unsigned)index, name)) return give_result(env, -1);
  napi_create_string_latin1(env, name, NAPI_AUTO_LENGTH, &result);
  return result;
}

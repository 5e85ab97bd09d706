/* AF_UNIX sockets: unix(7), cmsg(3). An address crosses as the bytes of sun_path without a terminating
 * NUL: none for an unnamed socket, a NUL first for an abstract name. */
#include "util.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "close.h"
#include "descriptors.h"
#include "fault.h"
#include "libc-service/client.h"
#include "transfer.h"

enum {
  MAX_PATH = sizeof(((struct sockaddr_un *)0)->sun_path),
  MAX_FDS = 253, /* SCM_MAX_FD: the kernel takes and gives no more in one message */
};

/* The size of the address, or 0: too long. A negative length: AF_UNSPEC. */
static socklen_t make_address(const uint8_t *path, int32_t length, struct sockaddr_un *out) {
  memset(out, 0, sizeof *out);
  out->sun_family = length < 0 ? AF_UNSPEC : AF_UNIX;
  if (length <= 0) return sizeof(sa_family_t);
  if (length > MAX_PATH - (path[0] != 0)) return 0;
  memcpy(out->sun_path, path, (size_t)length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + (path[0] != 0));
}

/* @return the path's length, or -EAFNOSUPPORT */
static int32_t read_address(const struct sockaddr_un *from, socklen_t size, uint8_t *out) {
  if (size < sizeof(sa_family_t)) return 0;
  if (from->sun_family != AF_UNIX) return -EAFNOSUPPORT;
  size_t length = size - offsetof(struct sockaddr_un, sun_path);
  if (size <= offsetof(struct sockaddr_un, sun_path)) return 0;
  if (length > MAX_PATH) length = MAX_PATH; /* 108 bytes and their NUL: see unix(7), BUGS */
  if (from->sun_path[0] != 0) length = strnlen(from->sun_path, length);
  memcpy(out, from->sun_path, length);
  return (int32_t)length;
}

/* (fd, path: Uint8Array, length) */
static bool take_address(napi_env env, napi_callback_info info, int32_t *fd,
                         struct sockaddr_un *address, socklen_t *size) {
  napi_value args[3];
  int32_t length;
  uint8_t *path;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], fd) ||
      !take_int32(env, args[2], &length) ||
      !take_bytes(env, args[1], 0, length < 0 ? 0 : length, &path))
    return false;
  *size = make_address(path, length, address);
  return true;
}

/* bind_unix(fd, path, length) -> 0 or -errno; a length of 0: the kernel picks an abstract name.
 * bind(2) */
napi_value sys_bind_unix(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct sockaddr_un address;
  socklen_t size;
  if (!take_address(env, info, &fd, &address, &size)) return NULL;
  if (size == 0) return give_int32(env, -ENAMETOOLONG);
  if (fault(FAULT_BIND, fd, NULL)) return give_result(env, -1);
  return give_result(env, service_bind(fd, (struct sockaddr *)&address, size));
}

/* connect_unix(fd, path, length) -> 0 or -errno (EAGAIN: the queue of the listener is full, and no
 * event will tell when it isn't). A length of -1 dissolves the association.  connect(2) */
napi_value sys_connect_unix(napi_env env, napi_callback_info info) {
  int32_t fd;
  struct sockaddr_un address;
  socklen_t size;
  if (!take_address(env, info, &fd, &address, &size)) return NULL;
  if (size == 0) return give_int32(env, -ENAMETOOLONG);
  if (fault(FAULT_CONNECT, fd, NULL)) return give_result(env, -1);
  return give_result(env, service_connect(fd, (struct sockaddr *)&address, size));
}

/* (fd, path: Uint8Array(108)) */
static bool take_room(napi_env env, napi_callback_info info, int32_t *fd, uint8_t **path) {
  napi_value args[2];
  return take_args(env, info, args, 2) && take_int32(env, args[0], fd) &&
         take_bytes(env, args[1], 0, MAX_PATH, path);
}

/* getsockname_unix(fd, path: Uint8Array(108)) -> length of the path, or -errno.  getsockname(2) */
napi_value sys_getsockname_unix(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *path;
  struct sockaddr_un address = {0};
  socklen_t size = sizeof address;
  if (!take_room(env, info, &fd, &path)) return NULL;
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) return give_result(env, -1);
  return give_int32(env, read_address(&address, size, path));
}

/* getpeername_unix(fd, path: Uint8Array(108)) -> length of the path, or -errno.  getpeername(2) */
napi_value sys_getpeername_unix(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *path;
  struct sockaddr_un address = {0};
  socklen_t size = sizeof address;
  if (!take_room(env, info, &fd, &path)) return NULL;
  if (getpeername(fd, (struct sockaddr *)&address, &size) < 0) return give_result(env, -1);
  return give_int32(env, read_address(&address, size, path));
}

/* socketpair(type, ends: Int32Array(2)) -> 0 or -errno; AF_UNIX, non-blocking and close-on-exec.
 * socketpair(2) */
napi_value sys_socketpair(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t type;
  uint8_t *ends;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &type) ||
      !take_bytes(env, args[1], 0, 2, &ends))
    return NULL;
  if (fault(FAULT_SOCKETPAIR, -1, NULL)) return give_result(env, -1);
  int pair[2];
  int result = socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
  if (result == 0) memcpy(ends, pair, sizeof pair);
  return give_result(env, result);
}

/* recvmsg_unix(fd, bytes, offset, length, flags, path: Uint8Array(108), out: Int32Array(3 + n))
 * -> bytes received or -errno, with out[0] the length of the sender's path, out[1] the MSG_ flags of
 * the message, out[2] how many descriptors follow: at most n. Others that came are closed.
 * recvmsg(2), MSG_CMSG_CLOEXEC */
napi_value sys_recvmsg_unix(napi_env env, napi_callback_info info) {
  napi_value args[7];
  int32_t fd, offset, count, flags;
  uint8_t *bytes, *path;
  napi_typedarray_type type;
  size_t room = 0;
  void *data = NULL;
  if (!take_args(env, info, args, 7) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_int32(env, args[4], &flags) || !take_bytes(env, args[1], offset, count, &bytes) ||
      !take_bytes(env, args[5], 0, MAX_PATH, &path))
    return NULL;
  if (napi_get_typedarray_info(env, args[6], &type, &room, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || room < 3) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return NULL;
  }
  int32_t *out = data;
  size_t most = room - 3 > MAX_FDS ? MAX_FDS : room - 3;
  size_t length = (size_t)count;
  if (fault(FAULT_RECVMSG, fd, &length)) return give_result(env, -1);
  /* Room for the credentials that a socket with SO_PASSCRED puts before the descriptors. */
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int)) +
                                        CMSG_SPACE(MAX_FDS * sizeof(int))];
  struct sockaddr_un sender = {0};
  struct iovec part = {bytes, length};
  struct msghdr message = {
    .msg_name = &sender,
    .msg_namelen = sizeof sender,
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = most > 0 ? control : NULL,
    .msg_controllen = most > 0 ? CMSG_SPACE(3 * sizeof(int)) + CMSG_LEN(most * sizeof(int)) : 0,
  };
  ssize_t result = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
  if (result < 0) return give_result(env, -1);
  out[2] = take_descriptors(&message, out + 3, (int)most, close_at_once);
  out[1] = message.msg_flags;
  int32_t path_length = read_address(&sender, message.msg_namelen, path);
  out[0] = path_length < 0 ? 0 : path_length;
  return give_result(env, result);
}

/* receive_packet(fd, bytes: Uint8Array, out: Int32Array(2 + n)); results[0]: bytes received, 0: the end or an empty
 * packet, or -errno, with out[0] the MSG_ flags of the message, out[1] how many descriptors follow: at
 * most n. Others that came are closed. Never waits, whatever the descriptor's own mode.  recvmsg(2) */
napi_value sys_receive_packet(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd;
  void *bytes = NULL, *data = NULL;
  size_t room = 0, length = 0;
  napi_typedarray_type type;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd)) return NULL;
  if (napi_get_typedarray_info(env, args[1], NULL, &length, &bytes, NULL, NULL) != napi_ok ||
      napi_get_typedarray_info(env, args[2], &type, &room, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || room < 3) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return NULL;
  }
  int32_t *out = data;
  size_t most = room - 2 > MAX_FDS ? MAX_FDS : room - 2;
  if (fault(FAULT_RECVMSG, fd, NULL)) return give_quickly(-1);
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int)) +
                                        CMSG_SPACE(MAX_FDS * sizeof(int))];
  struct iovec part = {bytes, length};
  struct msghdr message = {
    .msg_iov = &part,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = sizeof control,
  };
  ssize_t result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (result < 0) return give_quickly(-1);
  out[1] = message.msg_controllen > 0 ? take_descriptors(&message, out + 2, (int)most, close_at_once) : 0;
  out[0] = message.msg_flags;
  return give_quickly(result);
}

/* @param questions  the first descriptor in each is a socket for the answer, whose sender has nothing to say there: what waits
 *                   in it is dropped, too */
static void discard_packets(int fd, bool questions) {
  const int on = 1;
  bool was_reset = false;
  shutdown(fd, SHUT_RD);
  setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on); /* so that empty packets differ from none */
  for (;;) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)) +
                                          CMSG_SPACE(MAX_FDS * sizeof(int))];
    struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
    const ssize_t result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    /* ECONNRESET, once: who has sent it is gone, and had not read everything. */
    if (result < 0 && (errno == EINTR || (errno == ECONNRESET && !was_reset))) {
      was_reset |= errno == ECONNRESET;
      continue;
    }
    if (result < 0 || message.msg_controllen == 0) break;
    int32_t first;
    if (take_descriptors(&message, &first, questions, close_at_once) == 0) continue;
    discard_packets(first, false);
    close_at_once(first);
  }
}

/* discard_packets(fd, questions: 0 or 1) -> 0: nothing comes any more, and what waits is received and dropped. Otherwise close(2)
 * would close the descriptors in it, and may wait as long as whoever has sent them wants: close_at_once.
 * shutdown(2), recvmsg(2) */
napi_value sys_discard_packets(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (!transfers_stopped()) discard_packets(arg[0], arg[1]); /* perhaps a filter ends the process for these */
  return give_int32(env, 0);
}

/* sendmsg_unix(fd, bytes, offset, length, flags, path: Uint8Array, path length or -1: the peer,
 * fds: Int32Array, count) -> bytes taken or -errno (EINVAL: too many descriptors; ETOOMANYREFS).
 * With the first byte go all descriptors. Never waits, whatever the descriptor's own mode: in a sandbox there is no other way.
 * sendmsg(2) */
napi_value sys_sendmsg_unix(napi_env env, napi_callback_info info) {
  napi_value args[9];
  int32_t fd, offset, count, flags, path_length, fd_count;
  uint8_t *bytes, *path;
  napi_typedarray_type type;
  size_t room = 0;
  void *fds = NULL;
  if (!take_args(env, info, args, 9) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_int32(env, args[4], &flags) || !take_int32(env, args[6], &path_length) ||
      !take_int32(env, args[8], &fd_count) || !take_bytes(env, args[1], offset, count, &bytes) ||
      !take_bytes(env, args[5], 0, path_length < 0 ? 0 : path_length, &path))
    return NULL;
  if (napi_get_typedarray_info(env, args[7], &type, &room, &fds, NULL, NULL) != napi_ok ||
      type != napi_int32_array || fd_count < 0 || (size_t)fd_count > room) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return NULL;
  }
  if (fd_count > MAX_FDS) return give_int32(env, -EINVAL);
  size_t length = (size_t)count;
  struct sockaddr_un address;
  socklen_t size = 0;
  if (path_length >= 0 && (size = make_address(path, path_length, &address)) == 0)
    return give_int32(env, -ENAMETOOLONG);
  if (fault(FAULT_SENDMSG, fd, &length)) return give_result(env, -1);
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {0};
  struct iovec part = {bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (size > 0) {
    message.msg_name = &address;
    message.msg_namelen = size;
  }
  if (fd_count > 0) put_descriptors(&message, control, fds, fd_count);
  return give_result(env, sendmsg(fd, &message, flags | MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* send_packet(fd, bytes: Uint8Array, length); results[0]: bytes taken or -errno. A message without descriptors to the peer, and
 * otherwise as sendmsg_unix.  sendmsg(2) */
napi_value sys_send_packet(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t fd, count;
  uint8_t *bytes;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &fd) || !take_int32(env, args[2], &count) ||
      !take_bytes(env, args[1], 0, count, &bytes))
    return NULL;
  size_t length = (size_t)count;
  if (fault(FAULT_SENDMSG, fd, &length)) return give_quickly(-1);
  struct iovec part = {bytes, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  return give_quickly(sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* get_peer_credentials(fd, out: Int32Array(3)) -> 0 with pid, uid, gid, or -errno.
 * unix(7), SO_PEERCRED */
napi_value sys_get_peer_credentials(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  uint8_t *out;
  struct ucred who = {0};
  socklen_t size = sizeof who;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd) ||
      !take_bytes(env, args[1], 0, 3, &out))
    return NULL;
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
  if (result == 0) memcpy(out, (int32_t[]){who.pid, (int32_t)who.uid, (int32_t)who.gid}, 12);
  return give_result(env, result);
}

/* get_peer_security(fd, bytes: Uint8Array) -> length of the label, or -errno (ENOPROTOOPT: no
 * security module; ERANGE: it is longer than the array).  unix(7), SO_PEERSEC */
napi_value sys_get_peer_security(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int32_t fd;
  size_t room = 0;
  void *bytes = NULL;
  if (!take_args(env, info, args, 2) || !take_int32(env, args[0], &fd)) return NULL;
  if (napi_get_typedarray_info(env, args[1], NULL, &room, &bytes, NULL, NULL) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: a Uint8Array was expected");
    return NULL;
  }
  socklen_t size = (socklen_t)room;
  int result = getsockopt(fd, SOL_SOCKET, SO_PEERSEC, bytes, &size);
  return give_result(env, result < 0 ? result : (long)size);
}

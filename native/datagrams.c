/* Datagrams that are received ahead: recvmmsg(2) takes one for the caller, and those behind it. */
#include "util.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "endpoint.h"
#include "fault.h"
#include "transfer.h"

/* As in sys/datagrams.ts: a head with the size and the sender of each, and room for all but the first, which no
 * datagram exceeds. That isn't a power of two apart, or all of them would fall on the same lines of the cache. */
enum { MOST = 32, ENTRY = 32, HEAD = MOST * ENTRY, ROOM = 65536, STRIDE = ROOM + 192 };

/* receive_ahead(fd, bytes: Uint8Array, offset, length, ahead: Uint8Array) -> how many datagrams came, or -errno;
 * ENOSYS: it isn't to be called in this process. The first is in `bytes`, cut to `length`, the others are in
 * `ahead`; its head has for each how many bytes there are, and the sender. When fewer came than MOST, others
 * have a new event of epoll(7). So has an error: recvmmsg(2) keeps it for the next call, and it came during
 * this one. */
napi_value sys_receive_ahead(napi_env env, napi_callback_info info) {
  napi_value args[5];
  int32_t fd, offset, count;
  uint8_t *bytes, *ahead;
  if (!take_args(env, info, args, 5) || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &count) ||
      !take_bytes(env, args[1], offset, count, &bytes) ||
      !take_bytes(env, args[4], 0, HEAD + (MOST - 1) * STRIDE, &ahead))
    return NULL;
  if (transfers_stopped()) {
    errno = ENOSYS;
    return give_quickly(-1);
  }
  size_t length = (size_t)count;
  if (fault(FAULT_RECVFROM, fd, &length)) return give_quickly(-1);
  struct mmsghdr messages[MOST];
  struct iovec room[MOST];
  struct sockaddr_storage senders[MOST];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < MOST; i++) {
    room[i].iov_base = i == 0 ? bytes : ahead + HEAD + (i - 1) * STRIDE;
    room[i].iov_len = i == 0 ? length : ROOM;
    messages[i].msg_hdr.msg_iov = &room[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &senders[i];
    messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    senders[i].ss_family = AF_UNSPEC;
  }
  const int got = recvmmsg(fd, messages, MOST, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) {
    uint8_t *entry = ahead + i * ENTRY;
    const int32_t size = (int32_t)messages[i].msg_len;
    memcpy(entry, &size, sizeof size);
    pack_endpoint(&senders[i], entry + 8);
  }
  return give_quickly(got);
}

/* Plays a hostile actor: descriptor 3 is its socket to an inbox. From a seed it writes packets that
 * are messages, nearly messages and garbage, with descriptors that fit and that don't, until one of them has
 * closed the inbox's end or it has written enough.
 *
 *   hostile-peer SEED PACKETS */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t state;
static unsigned pick(unsigned n) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return n ? (unsigned)(state >> 33) % n : 0;
}

static uint8_t bytes[70000];

static int any_descriptor(void) {
  int pair[2];
  switch (pick(7)) {
    case 0: return open("/dev/null", O_RDWR);
    case 1: return pipe(pair) == 0 ? pair[pick(2)] : -1;
    case 2: return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1;
    case 3: return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 ? pair[0] : -1;
    case 4: return dup(3);
    case 5: return open("/", O_PATH);
    default: return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0 ? pair[pick(2)] : -1;
  }
}

static int packet_socket(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0) return -1;
  if (pick(2)) fcntl(pair[0], F_SETFL, 0); /* blocking, to catch who trusts it */
  if (pick(2)) close(pair[1]);
  return pair[0];
}

/* A message. @return its length; *fds: how many descriptors it names */
static size_t message(int *fds, int *addresses) {
  size_t at = 4;
  unsigned count = 1 + pick(20), is_table = pick(4) != 0;
  if (!is_table) count = 1;
  *fds = *addresses = 0;
  bytes[0] = 0x50, bytes[1] = (uint8_t)is_table, bytes[2] = (uint8_t)count, bytes[3] = 0;
  for (unsigned i = 0; i < count; i++) {
    unsigned kind = pick(6);
    unsigned length = kind == 2 ? 8 : kind == 3 ? pick(256) : 0;
    bytes[at++] = (uint8_t)kind;
    bytes[at++] = is_table ? 2 : 0;
    bytes[at++] = (uint8_t)length;
    if (is_table) bytes[at++] = 'k', bytes[at++] = (uint8_t)i;
    for (unsigned b = 0; b < length; b++) bytes[at++] = (uint8_t)pick(256);
    *fds += kind >= 4;
    *addresses += kind == 5;
  }
  return at;
}

static int write_packet(size_t length, const int *fds, int count) {
  static char control[CMSG_SPACE(253 * sizeof(int))];
  struct iovec part = {bytes, length};
  struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    memset(control, 0, sizeof control);
    packet.msg_control = control;
    packet.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&packet);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
  }
  return sendmsg(3, &packet, MSG_NOSIGNAL) < 0 && errno == EPIPE ? -1 : 0;
}

int main(int argc, char **argv) {
  state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int left = argc > 2 ? atoi(argv[2]) : 20;
  for (int i = 0; i < 10; i++) pick(2);
  for (; left > 0; left--) {
    int fds[253], wanted, addresses, count = 0;
    size_t length = message(&wanted, &addresses);
    switch (pick(12)) {
      case 0: length = pick(sizeof bytes); wanted = (int)pick(5); break;
      case 1: bytes[pick((unsigned)length)] = (uint8_t)pick(256); break;
      case 2: wanted = (int)pick(254); break;
      case 3: length = 0; wanted = pick(2) ? 0 : 1; break;
      case 4: length = pick((unsigned)length); break;
      default: break;
    }
    int honest = pick(6) != 0;
    for (; count < wanted; count++) {
      fds[count] = honest ? packet_socket() : any_descriptor();
      if (fds[count] < 0) break;
    }
    int end = write_packet(length, fds, count);
    while (count > 0) close(fds[--count]);
    for (int fd = 4; fd < 1024; fd++) close(fd); /* other ends */
    if (end < 0) return 0;
  }
  return 0;
}

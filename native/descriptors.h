/* Descriptors beside a message on a Unix socket: SCM_RIGHTS, unix(7). What is loaded into foreign programs has this, too. */
#ifndef PERILUNE_DESCRIPTORS_H
#define PERILUNE_DESCRIPTORS_H

#include <string.h>
#include <sys/socket.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* @param room   CMSG_SPACE(count * sizeof(int)) zeros, aligned as a struct cmsghdr
 * @param count  > 0 */
static inline void put_descriptors(struct msghdr *message, void *room, const int *fds, int count) {
  size_t size = (size_t)count * sizeof *fds;
  message->msg_control = room;
  message->msg_controllen = CMSG_SPACE(size);
  struct cmsghdr *c = CMSG_FIRSTHDR(message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(c), fds, size);
}

/* Those of a message that was received: the first `most` into `out`; the others are given to `close_one`.
 * @return how many there are in `out` */
static inline int take_descriptors(struct msghdr *message, int *out, int most, int (*close_one)(int fd)) {
  int count = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type != SCM_RIGHTS && c->cmsg_type != SCM_PIDFD) continue;
    size_t fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < fds; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (fd < 0) continue;
      if (c->cmsg_type == SCM_RIGHTS && count < most) out[count++] = fd;
      else close_one(fd);
    }
  }
  return count;
}

#endif

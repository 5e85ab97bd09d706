#ifndef PERILUNE_TRANSFER_H
#define PERILUNE_TRANSFER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* From now on this process makes no such calls: it has a filter of system calls, which may end it for one that
 * it hasn't made before, and which those within a ring don't pass through. */
void transfers_stop(void);
bool transfers_stopped(void);

/* recv(2) and send(2) of a socket, which haven't the way through its file that read(2) and write(2) have: 0.1 us.
 * Those, where calls are filtered. */
static inline ssize_t read_socket(int fd, void *bytes, size_t length) {
  return transfers_stopped() ? read(fd, bytes, length) : recv(fd, bytes, length, 0);
}

static inline ssize_t write_socket(int fd, const void *bytes, size_t length) {
  return transfers_stopped() ? write(fd, bytes, length) : send(fd, bytes, length, MSG_NOSIGNAL);
}

#endif

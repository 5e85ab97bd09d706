/* Sends to a server on 127.0.0.1 that reads and drops, as fast as that goes, in pieces of 256 KiB.
 *   bulk_client PORT CONNECTIONS SECONDS     prints "<MB per second> <MB>" of what was taken
 * A thread for each connection would take the server's core: one thread writes in turn, with poll. Where the
 * machine's default is BBR, the timers that pace what is sent would take half of the client's time: Reno. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: bulk_client PORT CONNECTIONS SECONDS\n");
    return 2;
  }
  int count = atoi(argv[2]);
  static char piece[256 * 1024];
  struct pollfd *fds = calloc((size_t)count, sizeof *fds);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < count; i++) {
    fds[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    fds[i].events = POLLOUT;
    setsockopt(fds[i].fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (connect(fds[i].fd, (struct sockaddr *)&address, sizeof address) < 0) {
      perror("connect");
      return 1;
    }
  }
  double start = now(), end = start + atof(argv[3]), total = 0;
  while (now() < end) {
    if (poll(fds, (nfds_t)count, 1000) < 0) break;
    for (int i = 0; i < count; i++) {
      if (!fds[i].revents) continue;
      ssize_t put = send(fds[i].fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0 && errno != EAGAIN) {
        perror("send");
        return 1;
      }
      if (put > 0) total += (double)put;
    }
  }
  printf("%.0f %.0f\n", total / 1e6 / (now() - start), total / 1e6);
  return 0;
}

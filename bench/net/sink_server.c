/* Reads what clients send, 64 KiB at a time, and drops it: one thread, epoll.
 *   sink_server     prints the port that it listens on */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 128) < 0) {
    perror("listen");
    return 1;
  }
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {.fd = listener}}, events[64];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  static char bytes[64 * 1024];
  for (;;) {
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        struct epoll_event one = {EPOLLIN, {.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, one.data.fd, &one);
        continue;
      }
      ssize_t got = read(fd, bytes, sizeof bytes);
      if (got == 0 || (got < 0 && errno != EAGAIN)) close(fd);
    }
  }
}

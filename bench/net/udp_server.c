/* UDP echo server in C: one thread, epoll, a datagram a call. What the kernel allows one thread.
 *   udp_server     prints the port that it is bound to */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

int main(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(fd, (struct sockaddr *)&address, size) < 0) {
    perror("bind");
    return 1;
  }
  getsockname(fd, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN | EPOLLET, {.fd = fd}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  char bytes[65536];
  for (;;) {
    epoll_wait(epoll, &event, 1, -1);
    for (;;) {
      struct sockaddr_storage from;
      size = sizeof from;
      ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
      if (got < 0) break;
      sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, size);
    }
  }
}

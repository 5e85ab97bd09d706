/* The like of local.lua in C, over one epoll set: what the kernel takes for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static int epoll_of(int a, int b) {
  int set = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET, {.fd = a}};
  check(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, a, &event) == 0, "epoll");
  event.data.fd = b;
  check(epoll_ctl(set, EPOLL_CTL_ADD, b, &event) == 0, "epoll_ctl");
  return set;
}

static void ping_pong(int type, long count) {
  int ends[2];
  char bytes[64] = {0};
  check(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  int set = epoll_of(ends[0], ends[1]);
  check(write(ends[0], bytes, 64) == 64, "write");
  for (long done = 0; done < count;) {
    struct epoll_event events[8];
    int ready = epoll_wait(set, events, 8, -1);
    for (int i = 0; i < ready && done < count; i++) {
      int fd = events[i].data.fd;
      if (read(fd, bytes, 64) != 64) continue; /* EAGAIN: only writable */
      if (fd == ends[0]) done++;
      if (done < count) check(write(fd, bytes, 64) == 64, "write");
    }
  }
}

static void bulk(long megabytes) {
  static char out[65536], in[65536];
  int ends[2];
  check(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
  int set = epoll_of(ends[0], ends[1]);
  long total = megabytes << 20, written = 0, got = 0;
  while (got < total) {
    struct epoll_event events[8];
    int ready = epoll_wait(set, events, 8, -1);
    for (int i = 0; i < ready; i++) {
      ssize_t n;
      if (events[i].data.fd == ends[0])
        while ((n = read(ends[0], in, sizeof in)) > 0) got += n;
      else
        while (written < total && (n = write(ends[1], out, sizeof out)) > 0) written += n;
    }
  }
}

static void read_file(long megabytes, const char *path) {
  static char bytes[65536];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  check(fd >= 0, path);
  for (long left = megabytes << 20; left > 0;) {
    ssize_t n = read(fd, bytes, sizeof bytes);
    check(n >= 0, "read");
    if (n == 0) lseek(fd, 0, SEEK_SET);
    left -= n;
  }
}

static void pass(long count) {
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "pair");
  for (long i = 0; i < count; i++) {
    char byte = 0;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &ends[0], sizeof(int));
    check(sendmsg(ends[0], &message, 0) == 1, "sendmsg");
    message.msg_controllen = sizeof control;
    check(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    check(close(fd) == 0, "close");
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long count = atol(argv[2]);
  if (strcmp(argv[1], "stream") == 0) ping_pong(SOCK_STREAM, count);
  else if (strcmp(argv[1], "seqpacket") == 0) ping_pong(SOCK_SEQPACKET, count);
  else if (strcmp(argv[1], "pipe") == 0) bulk(count);
  else if (strcmp(argv[1], "fds") == 0) pass(count);
  else if (strcmp(argv[1], "file") == 0 && argc == 4) read_file(count, argv[3]);
  else return 2;
  printf("%s\t%ld\n", argv[1], count);
}

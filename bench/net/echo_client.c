/* Load for an echo server on 127.0.0.1.
 *   echo_client ping PORT CONNECTIONS BYTES SECONDS   ping-pong on each; prints messages/s
 *   echo_client count PORT CONNECTIONS BYTES TOTAL    the same for TOTAL messages
 *   echo_client hold PORT CONNECTIONS BYTES           echoes once on each and holds them open;
 *                                                     prints "ready", and ends at a line on stdin
 *   echo_client churn PORT PARALLEL BYTES SECONDS     connect, one echo, close; prints connections/s
 * Output of ping, count and churn: "<per second> <done> <seconds>". One thread, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 512

static int port, bytes, epoll;
static char *payload, *received;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int dial(int index) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (fd < 0) fail("socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {EPOLLIN, {.u64 = (uint64_t)index << 32 | (uint32_t)fd}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  return fd;
}

static void ping(int fd) {
  if (write(fd, payload, (size_t)bytes) != bytes) fail("write");
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: echo_client ping|count|hold|churn PORT CONNECTIONS BYTES [LIMIT]\n");
    return 2;
  }
  bool timed = !strcmp(argv[1], "ping"), hold = !strcmp(argv[1], "hold");
  bool churn = !strcmp(argv[1], "churn");
  port = atoi(argv[2]);
  int connections = atoi(argv[3]);
  bytes = atoi(argv[4]);
  double limit = argc > 5 ? atof(argv[5]) : 0;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  payload = malloc((size_t)bytes);
  received = malloc((size_t)bytes);
  for (int i = 0; i < bytes; i++) payload[i] = (char)('a' + i % 26);
  int *missing = malloc(sizeof *missing * (size_t)connections);
  epoll = epoll_create1(0);
  struct epoll_event events[BATCH];

  int *fds = malloc(sizeof *fds * (size_t)connections);
  for (int i = 0; i < connections; i++) {
    fds[i] = dial(i);
    missing[i] = bytes;
    if (hold) {
      ping(fds[i]);
      for (int got = 0; got < bytes;) {
        ssize_t part = read(fds[i], received + got, (size_t)(bytes - got));
        if (part <= 0) fail("read");
        got += (int)part;
      }
      if (memcmp(payload, received, (size_t)bytes)) fail("wrong echo");
    }
  }
  if (hold) {
    printf("ready\n");
    fflush(stdout);
    char line[8];
    if (!fgets(line, sizeof line, stdin)) return 0;
    return 0;
  }

  double start = now(), elapsed = 0;
  long done = 0;
  for (int i = 0; i < connections; i++) ping(fds[i]);
  for (bool running = true; running;) {
    int count = epoll_wait(epoll, events, BATCH, 5000);
    if (count == 0) fail("no answer for 5 seconds");
    for (int i = 0; i < count; i++) {
      int fd = (int)(events[i].data.u64 & 0xffffffff), index = (int)(events[i].data.u64 >> 32);
      int at = bytes - missing[index];
      ssize_t got = read(fd, received + at, (size_t)missing[index]);
      if (got <= 0) fail("read");
      if (memcmp(payload + at, received + at, (size_t)got)) fail("wrong echo");
      missing[index] -= (int)got;
      if (missing[index] > 0) continue;
      done++;
      missing[index] = bytes;
      if (churn) {
        struct linger reset = {1, 0}; /* leave no TIME_WAIT behind */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        fd = dial(index);
      }
      ping(fd);
    }
    elapsed = now() - start;
    running = timed || churn ? elapsed < limit : (double)done < limit;
  }
  printf("%.0f %ld %.3f\n", (double)done / elapsed, done, elapsed);
  return 0;
}

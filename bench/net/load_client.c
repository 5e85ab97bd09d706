/* Many clients of an echo server on 127.0.0.1, which behave as clients do.
 *   load_client PORT CONNECTIONS SECONDS     prints what became of them
 * Each connection sends up to 20,000 bytes and checks what comes back, in one of these ways: plainly; a byte
 * at a time; closing its half and reading on; resetting in the middle; not reading for a while; doing nothing
 * for a while. What ends is replaced. Ends with 1 when a byte is wrong, or the server ends a connection.
 * One thread; reads by epoll, writes when their time has come. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum way { PLAIN, BYTES, HALF_CLOSE, RESET, STALL, IDLE, WAYS };
static const char *const names[WAYS] = {"plain", "bytes", "half-close", "reset", "stall", "idle"};

struct connection {
  int fd; /* -1: to be opened */
  enum way way;
  uint32_t seed;
  int total, sent, received, resets_at;
  double next; /* when to send, or to do what the way says */
  bool reading, shut;
};

static int port, epoll;
static long opened, ended[WAYS];
static double bytes_through;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const struct connection *c, const char *what) {
  fprintf(stderr, "load_client: %s: %s (%s; %d of %d bytes sent, %d received)\n", what,
          strerror(errno), names[c->way], c->sent, c->total, c->received);
  exit(1);
}

static double within(double least, double most) {
  return least + (most - least) * (double)random() / (double)RAND_MAX;
}

static void watch(struct connection *c, bool reading, int operation) {
  struct epoll_event event = {reading ? EPOLLIN : 0, {.ptr = c}};
  c->reading = reading;
  if (epoll_ctl(epoll, operation, c->fd, &event) < 0) fail(c, "epoll_ctl");
}

static void open_one(struct connection *c, double time) {
  static uint32_t count;
  struct sockaddr_in address = {.sin_family = AF_INET}, from = address;
  int on = 1;
  memset(c, 0, sizeof *c);
  c->way = (enum way)(random() % WAYS);
  c->seed = count++;
  c->total = c->way == BYTES ? 1 + (int)(random() % 100) : 1 + (int)(random() % 20000);
  c->resets_at = (int)(random() % c->total);
  c->next = time + within(0, 1);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0) fail(c, "socket");
  /* Some addresses of this machine in turn: one has too few ports. */
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + c->seed % 16);
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0) fail(c, "bind");
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0) fail(c, "connect");
  watch(c, true, EPOLL_CTL_ADD);
  opened++;
}

static void end(struct connection *c, bool reset) {
  struct linger linger = {1, 0};
  if (reset) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(c->fd);
  c->fd = -1;
  ended[c->way]++;
  bytes_through += c->received;
}

static void receive(struct connection *c) {
  static unsigned char bytes[65536];
  ssize_t got = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) fail(c, "recv");
  if (got == 0) {
    errno = 0;
    if (!c->shut || c->received < c->total) fail(c, "the server ended it");
    end(c, false);
    return;
  }
  for (ssize_t i = 0; i < got; i++)
    if (bytes[i] != (unsigned char)(c->seed + (uint32_t)c->received + (uint32_t)i)) fail(c, "a wrong byte");
  c->received += (int)got;
  if (c->received > c->sent) fail(c, "more than was sent");
  if (c->received == c->total && !c->shut) {
    if (c->way == HALF_CLOSE) { /* the end comes back, too */
      shutdown(c->fd, SHUT_WR);
      c->shut = true;
    } else if (c->way != IDLE) {
      end(c, false);
    }
  }
}

static void act(struct connection *c, double time) {
  static unsigned char bytes[4096];
  if (c->way == RESET && c->received >= c->resets_at && c->sent > 0) {
    end(c, true);
    return;
  }
  if (c->way == STALL && c->sent > c->total / 2) watch(c, !c->reading, EPOLL_CTL_MOD);
  if (c->way == IDLE && c->sent == c->total) {
    if (c->received == c->total) end(c, false);
    else c->next = time + 1;
    return;
  }
  int size = c->way == BYTES ? 1 : 1 + (int)(random() % (long)sizeof bytes);
  if (size > c->total - c->sent) size = c->total - c->sent;
  for (int i = 0; i < size; i++) bytes[i] = (unsigned char)(c->seed + (uint32_t)c->sent + (uint32_t)i);
  ssize_t put = size == 0 ? 0 : send(c->fd, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) fail(c, "send");
  if (put > 0) c->sent += (int)put;
  if (c->way == HALF_CLOSE && c->sent == c->total && !c->shut && random() % 2 == 0) {
    shutdown(c->fd, SHUT_WR); /* with answers still under way */
    c->shut = true;
  }
  c->next = time + within(0.05, c->way == STALL ? 3 : c->way == IDLE && c->sent == c->total ? 20 : 1);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: load_client PORT CONNECTIONS SECONDS\n");
    return 2;
  }
  port = atoi(argv[1]);
  int count = atoi(argv[2]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  srandom(7);
  epoll = epoll_create1(0);
  struct connection *all = calloc((size_t)count, sizeof *all);
  struct epoll_event events[512];
  for (int i = 0; i < count; i++) all[i].fd = -1;
  double start = now(), stop = start + atof(argv[3]);
  for (double time = start; time < stop; time = now()) {
    int most = 200; /* connections opened in a sweep: a backlog has its limits */
    for (int i = 0; i < count; i++) {
      if (all[i].fd < 0) {
        if (most-- > 0) open_one(&all[i], time);
      } else if (all[i].next <= time) {
        act(&all[i], time);
      }
    }
    for (double until = time + 0.01; now() < until;) {
      int ready = epoll_wait(epoll, events, 512, 5);
      for (int i = 0; i < ready; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->fd >= 0) receive(c);
      }
    }
  }
  int left = 0;
  for (int i = 0; i < count; i++) left += all[i].fd >= 0;
  printf("%ld connections opened, %d at once at the end, %.0f MB echoed; ended:", opened, left,
         bytes_through / 1e6);
  for (int way = 0; way < WAYS; way++) printf(" %s %ld", names[way], ended[way]);
  printf("\n");
  return 0;
}

/* What the kernel and memory allow in one direction, as fast as it goes: microseconds for each message.
 *
 *   flow process BYTES COUNT   packets of a pair of sockets, with epoll where it is full or empty
 *   flow threads BYTES COUNT   through 256 KiB of shared memory, copied in and out, with an eventfd and epoll for who waits
 *   flow thread BYTES COUNT    a copy is made, put into a list, taken out and freed
 *   flow fd 0 COUNT            a descriptor in each packet, which the receiver closes */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING (256 * 1024)

static size_t size;
static int count;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int new_set(int fd, unsigned events) {
  int set = epoll_create1(0);
  struct epoll_event event = {events | EPOLLET, {.fd = fd}};
  epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
  return set;
}

static void wait_for(int set) {
  struct epoll_event event;
  while (epoll_wait(set, &event, 1, -1) < 1) {}
}

static char *bytes;
static union {
  struct cmsghdr header;
  char space[CMSG_SPACE(sizeof(int))];
} control;

static void processes(int passed) {
  int pair[2], status;
  struct iovec part = {bytes, size};
  struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) exit(1);
  if (passed >= 0) {
    packet.msg_control = &control;
    packet.msg_controllen = sizeof control;
  }
  pid_t child = fork();
  if (child == 0) {
    int set = new_set(pair[1], EPOLLIN);
    for (int i = 0; i < count;) {
      packet.msg_controllen = passed >= 0 ? sizeof control : 0;
      if (recvmsg(pair[1], &packet, MSG_DONTWAIT) < 0) {
        wait_for(set);
        continue;
      }
      i++;
      int fd;
      if (passed >= 0) memcpy(&fd, CMSG_DATA(&control.header), sizeof fd), close(fd);
    }
    _exit(0);
  }
  int set = new_set(pair[0], EPOLLOUT);
  if (passed >= 0) {
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
  }
  for (int i = 0; i < count;) {
    if (sendmsg(pair[0], &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) wait_for(set);
    else i++;
  }
  waitpid(child, &status, 0);
}

static char ring[RING];
static atomic_size_t head, tail;
static atomic_int sleeps[2];
static int bells[2];

static void copy(char *to, const char *from, size_t at, int in) {
  size_t first = size < RING - at ? size : RING - at;
  memcpy(in ? to + at : to, in ? from : from + at, first);
  memcpy(in ? to : to + first, in ? from + first : from, size - first);
}

/* Until there are at least this many bytes to read (who 1) or to write (who 0). */
static void wait_until(int who, int set) {
  for (;;) {
    atomic_store(&sleeps[who], 1);
    size_t used = atomic_load(&tail) - atomic_load(&head);
    if (who ? used >= size : used + size <= RING) break;
    eventfd_t value;
    if (eventfd_read(bells[who], &value) < 0) wait_for(set);
  }
  atomic_store(&sleeps[who], 0);
}

static void ring_bell(int who) {
  if (atomic_exchange(&sleeps[who], 0)) eventfd_write(bells[who], 1);
}

static void *reader(void *nothing) {
  char *message = malloc(size);
  int set = new_set(bells[1], EPOLLIN);
  for (int i = 0; i < count; i++) {
    if (atomic_load(&tail) - atomic_load(&head) < size) wait_until(1, set);
    copy(message, ring, atomic_load(&head) % RING, 0);
    atomic_fetch_add(&head, size);
    ring_bell(0);
  }
  free(message);
  return nothing;
}

static void threads(void) {
  pthread_t other;
  for (int i = 0; i < 2; i++) bells[i] = eventfd(0, EFD_NONBLOCK);
  int set = new_set(bells[0], EPOLLIN);
  if (pthread_create(&other, NULL, reader, NULL) != 0) exit(1);
  for (int i = 0; i < count; i++) {
    if (atomic_load(&tail) - atomic_load(&head) + size > RING) wait_until(0, set);
    copy(ring, bytes, atomic_load(&tail) % RING, 1);
    atomic_fetch_add(&tail, size);
    ring_bell(1);
  }
  pthread_join(other, NULL);
}

struct message {
  struct message *next;
  char bytes[];
};

/* A batch at a time, in memory that is in use already. */
static void one_thread(void) {
  for (int done = 0; done < count;) {
    struct message *first = NULL, **last = &first;
    for (int i = 0; i < 64 && done < count; i++, done++) {
      struct message *m = malloc(sizeof *m + size);
      memcpy(m->bytes, bytes, size);
      m->next = NULL;
      *last = m;
      last = &m->next;
    }
    while (first != NULL) {
      struct message *m = first;
      first = m->next;
      free(m);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  size = strtoul(argv[2], NULL, 10);
  count = atoi(argv[3]);
  bytes = calloc(1, size + 1);
  double start = now();
  if (strcmp(argv[1], "process") == 0) processes(-1);
  else if (strcmp(argv[1], "threads") == 0) threads();
  else if (strcmp(argv[1], "thread") == 0) one_thread();
  else if (strcmp(argv[1], "fd") == 0) size = 1, processes(0);
  else return 2;
  printf("%.3f\n", (now() - start) / count);
  return 0;
}

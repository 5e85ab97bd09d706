/* What the kernel allows: messages between two processes over a pair of seqpacket sockets and epoll, and
 * processes from their making to their first message and to their end.
 *
 *   limits pingpong COUNT          microseconds for each there and back
 *   limits threads COUNT           the same between two threads, over two eventfds and epoll
 *   limits fork|unshare COUNT      least and median of both, in microseconds
 *   limits run COUNT PROGRAM …     least and median of a program's time, twice, in microseconds */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void wait_for(int set) {
  struct epoll_event event;
  while (epoll_wait(set, &event, 1, -1) < 1) {}
}

static int new_set(int fd) {
  int set = epoll_create1(0);
  struct epoll_event event = {EPOLLIN | EPOLLET, {.fd = fd}};
  epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
  return set;
}

/* As a runtime does it: try, wait for an event, try again. */
static ssize_t receive(int fd, int set, char *bytes) {
  for (;;) {
    ssize_t n = recv(fd, bytes, 64, MSG_DONTWAIT);
    if (n >= 0) return n;
    wait_for(set);
  }
}

static void pingpong(int count) {
  int there[2], back[2];
  char bytes[64] = "P message of 15";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, there) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, back)) exit(1);
  if (fork() == 0) {
    close(there[0]);
    int set = new_set(there[1]);
    while (receive(there[1], set, bytes) > 0) send(back[0], bytes, 15, MSG_DONTWAIT | MSG_NOSIGNAL);
    _exit(0);
  }
  int set = new_set(back[1]);
  double start = 0;
  for (int i = -2000; i < count; i++) {
    if (i == 0) start = now();
    send(there[0], bytes, 15, MSG_DONTWAIT);
    receive(back[1], set, bytes);
  }
  printf("%.3f\n", (now() - start) / count);
}

static int bells[2];
static int rounds;

static void ring(int fd) {
  eventfd_write(fd, 1);
}

static void await_ring(int fd, int set) {
  eventfd_t value;
  while (eventfd_read(fd, &value) < 0) wait_for(set);
}

static void *answer(void *nothing) {
  int set = new_set(bells[0]);
  for (int i = 0; i < rounds; i++) {
    await_ring(bells[0], set);
    ring(bells[1]);
  }
  return nothing;
}

static void threads(int count) {
  pthread_t other;
  for (int i = 0; i < 2; i++) bells[i] = eventfd(0, EFD_NONBLOCK);
  rounds = count + 2000;
  if (pthread_create(&other, NULL, answer, NULL) != 0) exit(1);
  int set = new_set(bells[1]);
  double start = 0;
  for (int i = -2000; i < count; i++) {
    if (i == 0) start = now();
    ring(bells[0]);
    await_ring(bells[1], set);
  }
  printf("%.3f\n", (now() - start) / count);
  pthread_join(other, NULL);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(double *first, double *gone, int count) {
  qsort(first, (size_t)count, sizeof *first, by_size);
  qsort(gone, (size_t)count, sizeof *gone, by_size);
  printf("%.0f %.0f %.0f %.0f\n", first[0], first[(count - 1) / 2], gone[0], gone[(count - 1) / 2]);
}

#define ALL (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int count = atoi(argv[2]);
  if (strcmp(argv[1], "pingpong") == 0) {
    pingpong(count);
    return 0;
  }
  if (strcmp(argv[1], "threads") == 0) {
    threads(count);
    return 0;
  }
  double *first = calloc((size_t)count, sizeof *first), *gone = calloc((size_t)count, sizeof *gone);
  for (int i = 0; i < count; i++) {
    int pair[2];
    char byte;
    double start = now();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) return 1;
    pid_t pid = strcmp(argv[1], "unshare") == 0 ? (pid_t)syscall(SYS_clone, ALL | SIGCHLD, 0, 0, 0, 0) : fork();
    if (pid == 0) {
      if (strcmp(argv[1], "run") == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
      }
      send(pair[1], "x", 1, 0);
      _exit(0);
    }
    if (strcmp(argv[1], "run") != 0) recv(pair[0], &byte, 1, 0);
    first[i] = now() - start;
    int status;
    waitpid(pid, &status, 0);
    gone[i] = now() - start;
    if (status != 0) return 1;
    if (strcmp(argv[1], "run") == 0) first[i] = gone[i];
    close(pair[0]);
    close(pair[1]);
    usleep(100000);
  }
  report(first, gone, count);
  return 0;
}

/* Runs one program and says what it cost.
 *   measure SECONDS PROGRAM [ARGUMENT…]
 * At its end writes "<wall s> <user s> <system s> <peak KB> <exit code, or 128 + signal>" to descriptor 3.
 * After SECONDS, and at SIGTERM, it kills the program, with all that is in its process group.
 * This is a process of its own because the kernel counts the peak memory of what calls execve(2) as
 * that of the new program: here that is a megabyte, in a Node it would be fifty. CPU time includes
 * that of threads, and of children that the program waited for: wait4(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void end(int signal) {
  (void)signal;
  kill(-child, SIGKILL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: measure SECONDS PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  fcntl(3, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGTERM); /* the runner may be killed: leave nothing behind */
  double start = now();
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[2], argv + 2);
    fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
    _exit(127);
  }
  setpgid(child, child);
  signal(SIGTERM, end);
  signal(SIGALRM, end);
  alarm((unsigned)atoi(argv[1]));

  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0)
    if (errno != EINTR) return 1;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  dprintf(3, "%.6f %.6f %.6f %ld %d\n", now() - start, seconds(usage.ru_utime),
          seconds(usage.ru_stime), usage.ru_maxrss, code);
  return 0;
}

/*
 * A file system whose reads take their time: a server of FUSE (linux/fuse.h), for one command.
 *
 *   slowfs DIRECTORY BYTES MILLISECONDS|hold COMMAND [ARGUMENT…]
 *
 * Mounts on DIRECTORY, runs the command, serves until it has ended, unmounts, and ends as it did. Each read is
 * answered so many milliseconds after it came; or, with `hold`, when a file named `go` is looked for. A byte of a
 * file is its position modulo 251. Files, of BYTES bytes each:
 *   slow     as any other
 *   broken   EIO from the middle on
 *   short    ends in the middle, whatever its size says
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGEST (1 << 20)
#define PERIOD 251
#define WAITING 1024 /* more than the kernel has under way */

enum { ROOT = 1, SLOW, BROKEN, SHORT, NODES };
static const char *const names[NODES] = { 0, "", "slow", "broken", "short" };

static int device;
static uint64_t bytes;
static int delay; /* ms; -1: held */
static unsigned char pattern[LARGEST + PERIOD];

struct waiting {
  uint64_t unique, node, offset;
  uint32_t size;
  int64_t due; /* ms; they come in this order */
};
static struct waiting queue[WAITING];
static unsigned first, last;

static void fail(const char *what) {
  perror(what);
  exit(99);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void answer(uint64_t unique, int error, const void *data, size_t size) {
  struct fuse_out_header header = { sizeof header + size, -error, unique };
  struct iovec parts[] = { { &header, sizeof header }, { (void *)data, size } };
  /* ENOENT: whoever asked is there no more. */
  if (writev(device, parts, size ? 2 : 1) < 0 && errno != ENOENT) fail("slowfs: answer");
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr a = { .ino = node, .nlink = 1, .blksize = 4096 };
  a.mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0644;
  a.size = node == ROOT ? 0 : bytes;
  a.blocks = a.size / 512;
  return a;
}

static void answer_read(const struct waiting *r) {
  uint64_t end = r->node == SLOW ? bytes : bytes / 2;
  uint64_t left = r->offset < end ? end - r->offset : 0;
  if (left == 0 && r->node == BROKEN) answer(r->unique, EIO, 0, 0);
  else answer(r->unique, 0, pattern + r->offset % PERIOD, left < r->size ? left : r->size);
}

static void let_go(void) {
  while (first != last) answer_read(&queue[first++ % WAITING]);
}

static void look_up(uint64_t unique, const char *name) {
  if (strcmp(name, "go") == 0) {
    delay = 0;
    let_go();
  }
  for (int node = SLOW; node < NODES; node++) {
    if (strcmp(name, names[node]) != 0) continue;
    struct fuse_entry_out entry = { .nodeid = node, .attr = attributes(node) };
    answer(unique, 0, &entry, sizeof entry);
    return;
  }
  answer(unique, ENOENT, 0, 0);
}

static void serve(const struct fuse_in_header *in, const void *data) {
  uint64_t u = in->unique;
  switch (in->opcode) {
    case FUSE_INIT: {
      const struct fuse_init_in *asked = data;
      struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION };
      if (asked->minor < out.minor) out.minor = asked->minor;
      out.max_readahead = asked->max_readahead;
      out.flags = asked->flags & (FUSE_ASYNC_READ | FUSE_MAX_PAGES | FUSE_PARALLEL_DIROPS);
      out.max_background = 256;
      out.congestion_threshold = 192;
      out.max_write = 4096;
      out.max_pages = LARGEST / 4096;
      answer(u, 0, &out, sizeof out);
      return;
    }
    case FUSE_LOOKUP: look_up(u, data); return;
    case FUSE_GETATTR: {
      struct fuse_attr_out out = { .attr = attributes(in->nodeid) };
      answer(u, 0, &out, sizeof out);
      return;
    }
    case FUSE_OPEN: {
      /*
       * Without KEEP_CACHE, opening waits for the reads of others. Without DIRECT_IO, the kernel fills what a
       * short read leaves out with zeros.
       */
      struct fuse_open_out out = { .open_flags = in->nodeid == SLOW ? FOPEN_KEEP_CACHE : FOPEN_DIRECT_IO };
      answer(u, 0, &out, sizeof out);
      return;
    }
    case FUSE_READ: {
      const struct fuse_read_in *r = data;
      struct waiting w = { u, in->nodeid, r->offset, r->size, now() + delay };
      if (delay == 0) answer_read(&w);
      else if (last - first < WAITING) queue[last++ % WAITING] = w;
      else answer(u, EBUSY, 0, 0);
      return;
    }
    case FUSE_INTERRUPT:
      for (unsigned i = first; i != last; i++) {
        struct waiting *w = &queue[i % WAITING];
        if (w->unique != ((const struct fuse_interrupt_in *)data)->unique) continue;
        answer(w->unique, EINTR, 0, 0);
        *w = queue[--last % WAITING];
        return;
      }
      return;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET: return; /* they want no answer */
    case FUSE_FLUSH:
    case FUSE_RELEASE: answer(u, 0, 0, 0); return;
    default: answer(u, ENOSYS, 0, 0);
  }
}

static volatile sig_atomic_t ended;
static void on_child(int signal) {
  (void)signal;
  ended = 1;
}

int main(int argc, char **argv) {
  if (argc < 5) return fputs("usage: slowfs DIRECTORY BYTES MILLISECONDS|hold COMMAND…\n", stderr), 99;
  bytes = strtoull(argv[2], 0, 10);
  delay = strcmp(argv[3], "hold") == 0 ? -1 : atoi(argv[3]);
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % PERIOD;

  device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (device < 0) fail("/dev/fuse");
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", device, getuid(), getgid());
  if (mount("slowfs", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");

  /* Without SA_RESTART, and blocked but in ppoll: its end can't be missed. */
  struct sigaction action = { .sa_handler = on_child };
  sigaction(SIGCHLD, &action, 0);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, 0);
    execvp(argv[4], argv + 4);
    fail(argv[4]);
  }

  static _Alignas(8) char request[LARGEST + 4096];
  while (!ended) {
    struct timespec wait = { 0 };
    if (first != last && delay >= 0) {
      int64_t ms = queue[first % WAITING].due - now();
      if (ms <= 0) {
        answer_read(&queue[first++ % WAITING]);
        continue;
      }
      wait = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
    } else wait.tv_sec = 3600;
    struct pollfd ready = { device, POLLIN, 0 };
    if (ppoll(&ready, 1, &wait, &before) <= 0) continue;
    ssize_t n = read(device, request, sizeof request);
    if (n >= (ssize_t)sizeof(struct fuse_in_header)) serve((void *)request, request + sizeof(struct fuse_in_header));
    else if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT) break; /* ENODEV: unmounted */
  }
  let_go();
  umount2(argv[1], MNT_DETACH);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

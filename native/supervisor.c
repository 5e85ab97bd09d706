/* The supervisor of subprocess actors, and what its children do before the first line of JavaScript.
 *
 * A supervisor is a Node process that has loaded the runtime and nothing of any program. It calls
 * `supervise`, which never returns there: from then on it is this C loop, waiting for requests on its
 * one socket, and each request forks. `supervise` returns in the child, whose heap no program's code
 * has touched.
 *
 * What a fork of a Node process needs:
 * - V8 marks its pages MADV_DONTFORK: undone over all mappings before a fork, as often as JavaScript has run since
 *   the last one: in the supervisor once.
 * - Rings of io_uring are memory that is shared with the kernel: in the child other pages take their place,
 *   or siblings could talk through them.
 * - The descriptors of the event loop are shared with the supervisor and all siblings. Each is covered with an
 *   eventfd of the child's own; uv_loop_fork then closes some and opens others. Covers stay for good: the
 *   library writes to some of these numbers, and must never hit a file of the program.
 * - libuv's own fork handler (pthread_atfork) has made new pipes before any of our code runs: those
 *   that are new are left alone. It is why a fork(2) of the C library makes the process in which JavaScript
 *   waits for events, and clone(2) only one that doesn't (PID 1 of a namespace).
 *
 * A spare is a process that is made before it is wanted, of the kind that was wanted last (its namespaces and
 * walls): it does all that needs no task, and waits for that in take_task. It is a fork of the
 * supervisor as any other, and gets one task in its life. Most of what a new process costs is pages: of the
 * supervisor's that it writes to, and that it reads for the first time. Which these are the first spare
 * finds out, the scout: it runs an actor of ours, and looks which pages are its own then. The others
 * get theirs in one go. */
#include "util.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "descriptors.h"
#include "fault.h"
#include "host_calls.h"
#include "pages.h"
#include "start/heap.h"
#include "transfer.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* since Linux 6.1 */
#endif

extern char **environ;

enum {
  CONTROL = 3, /* the supervisor's socket; in a child, that of its inbox */
  MAX_OWN = 128,
  MAX_RINGS = 32,
  MAX_REQUEST_FDS = 16,
  MAX_BODY = 132 * 1024,
  MAX_KIND = 4096,
  MAX_TASK = MAX_BODY - MAX_KIND,
  USUAL_TASK = 72 * 1024, /* most are no longer: that of a module of 50 lines has 64 KB */
  MAX_TOUCHED = 4096,
  MAX_MAPPINGS = 512,
  MAX_KEPT = 64,
  MAX_STACK = 256 * 1024, /* below a frame, of what calls have used before */
  MAX_NEWS = 256, /* of so many children PID 1 says when the actor has ended: each has a descriptor here */
  /* Milliseconds without a request, after which a spare is made: those of a process that was just asked for are not to
   * be spent on the next one. When it has ended there is nothing to wait for. */
  SPARE_DELAY = 40,
  SHORT_DELAY = 1,
  GIVE_BACK_AFTER = 100,
  LOOK_EACH = 200,
  MOST_LOOKS = 30, /* until the scout has told what to look at */
};

/* What a request begins with, then comes the text of its kind. Its descriptors: inbox, [working directory],
 * [standard input, output, error], [init.arg], [a file with the task, which is the first packet of the inbox
 * otherwise], [one that is open until the process is set up: its other end is the host's]. What processes are to do
 * the supervisor never reads: it would have to copy each page that it writes to, and to wipe it. */
struct request {
  uint32_t id, clone_flags, has, kind_length;
};
enum { HAS_STDIN = 1, HAS_STDOUT = 2, HAS_STDERR = 4, HAS_ARG = 8, HAS_BODY = 16, HAS_CWD = 32,
       /* The process is to be of nobody's, where the supervisor may say so: user_namespaces(7). */
       IS_NOBODY = 64,
       /* One of the same kind will be wanted, perhaps. */
       KEEPS_SPARE = 128, HAS_SET_UP = 256 };

/* What the supervisor says: a child is there (value: its pid, with a pidfd; or -errno), or has ended. */
struct report {
  int32_t kind, id, value;
};
enum { STARTED = 1, ENDED = 2 };

/* ── starting it ─────────────────────────────────────────────────────────────────────────────── */

/* In the child of vfork: nothing but system calls, and nothing that outlives exec. */
static void become_supervisor(int control, char **argv, char **envp, volatile int *failed) {
  struct sigaction plain = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int signal = 1; signal < 65; signal++) sigaction(signal, &plain, NULL);
  int null = open("/dev/null", O_RDWR);
  if (null < 0) goto out;
  /* Out of the way of 0 to 3. */
  int high = fcntl(control, F_DUPFD, 10);
  null = fcntl(null, F_DUPFD, 10);
  if (high < 0 || null < 0) goto out;
  for (int fd = 0; fd < 3; fd++)
    if (dup2(null, fd) < 0) goto out;
  if (dup2(high, CONTROL) < 0) goto out;
  if (syscall(SYS_close_range, CONTROL + 1, ~0u, 0) < 0) goto out;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (chdir("/") < 0) goto out;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(argv[0], argv, envp);
out:
  *failed = errno;
  _exit(127);
}

static char **take_strings(napi_env env, napi_value list) {
  uint32_t count = 0;
  if (napi_get_array_length(env, list, &count) != napi_ok) return NULL;
  char **out = calloc(count + 1, sizeof *out);
  for (uint32_t i = 0; out && i < count; i++) {
    napi_value item;
    size_t length = 0;
    napi_get_element(env, list, i, &item);
    napi_get_value_string_utf8(env, item, NULL, 0, &length);
    out[i] = malloc(length + 1);
    if (out[i]) napi_get_value_string_utf8(env, item, out[i], length + 1, &length);
  }
  return out;
}

static void free_strings(char **list) {
  for (size_t i = 0; list && list[i]; i++) free(list[i]);
  free(list);
}

/* Its locals are static, since the child runs on this stack: one thread at a time.
 * @return pid, or -errno */
static __attribute__((noinline)) int start_alone(int control, char **argv, char **envp) {
  static volatile int failed;
  static sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = 0;
  pid_t pid = vfork();
  if (pid == 0) become_supervisor(control, argv, envp, &failed);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return -error;
  if (!failed) return pid;
  error = failed;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
  return -error;
}

static int start(int control, char **argv, char **envp) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&lock);
  int result = start_alone(control, argv, envp);
  pthread_mutex_unlock(&lock);
  return result;
}

/* start_supervisor(argv: string[], environment: string[], control: fd) -> pid or -errno. The program gets
 * /dev/null as 0 to 2, `control` as 3 and nothing else.  vfork(2), execve(2) */
napi_value sys_start_supervisor(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t control;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[2], &control)) return NULL;
  char **argv = take_strings(env, args[0]), **envp = take_strings(env, args[1]);
  int result = argv && argv[0] && envp ? start(control, argv, envp) : -ENOMEM;
  free_strings(argv);
  free_strings(envp);
  return give_int32(env, result);
}

/* waitpid_nohang(pid) -> pid, 0: it runs, or -errno. waitpid(2) */
napi_value sys_waitpid_nohang(napi_env env, napi_callback_info info) {
  int32_t pid;
  if (!take_int32s(env, info, &pid, 1)) return NULL;
  return give_result(env, waitpid(pid, NULL, WNOHANG));
}

/* memfd_of(bytes: Uint8Array, length) -> descriptor of a sealed file with these bytes, or -errno.
 * memfd_create(2) */
napi_value sys_memfd_of(napi_env env, napi_callback_info info) {
  int32_t length;
  uint8_t *bytes;
  if (!take_bytes_alone(env, info, &bytes, &length)) return NULL;
  int fd = new_memfd();
  if (fd < 0) return give_result(env, -1);
  for (int32_t done = 0; done < length;) {
    ssize_t written = write(fd, bytes + done, (size_t)(length - done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      int error = errno;
      close(fd);
      return give_int32(env, -error);
    }
    done += (int32_t)written;
  }
  lseek(fd, 0, SEEK_SET); /* who reads it goes on from there */
  fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return give_int32(env, fd);
}

/* ── the supervisor ──────────────────────────────────────────────────────────────────────────── */

static struct own {
  int fd;
  ino_t inode;
  bool is_pipe;
} own[MAX_OWN]; /* what Node has open before the first fork, in order */
static int own_count;

static struct range {
  uintptr_t start, end;
} rings[MAX_RINGS];
static int ring_count;

static pid_t supervisor;
static int supervisor_pidfd = -1; /* its own, for a child to see whether it is there still */
static bool has_init; /* this process is a child of PID 1 of its namespace */
static bool is_for_forks; /* all of its memory: there won't be more, since it runs no JavaScript between forks */
static bool gives_nobody; /* to children in user namespaces of their own */
static bool code_is_of_files; /* and is to stay so */
static bool gives_back_often; /* for tests */
static int maps_fd = -1; /* of this process, for its next fork */

static uint64_t requests; /* so many have come */
static int32_t last_id; /* of the last request, while its process is there */

static struct child {
  pid_t pid;
  int32_t id; /* 0: a spare */
  int news;   /* from PID 1: how the actor has ended; -1 */
  bool is_told; /* the host knows of its end */
  struct child *next;
} *children;

static int news = -1; /* epoll(7): all of them */
static int news_count;
static int told = -1; /* in PID 1: where it says that the actor has ended */

/* The spare, if `child` is there; and of what kind the next one is to be, if it is wanted. */
static struct {
  bool is_wanted;
  struct child *child;
  int pidfd, socket;
  uint32_t clone_flags, kind_length;
  bool is_nobody;
  uint8_t kind[MAX_KIND];
} spare = {.pidfd = -1, .socket = -1};

/* Pages that an actor touches, which receives and sends one message. */
static struct touched {
  uintptr_t start;
  uint32_t pages;
  enum { READ, WRITTEN, WRITTEN_SAME /* in the end it is as before */, WRITTEN_MAYBE } how;
} touched[MAX_TOUCHED];
static int touched_count;
static enum { NOT_SCOUTED, SCOUTING, SCOUTED } scouting;

/* What a child goes on with. */
static enum { ACTOR, SPARE, SCOUT } role;

static struct pending {
  struct report report;
  struct pending *next;
} *first_pending, **last_pending = &first_pending;

static void let_fork(struct range range) {
  /* ENOMEM: not all of it is there, which is as it should be. */
  if (range.start < range.end) madvise((void *)range.start, range.end - range.start, MADV_DOFORK);
}

/* Read /proc/self/maps. `madvise` all of it for a fork, in as few calls as there can be; the first time, note
 * rings. */
static int visit_mappings(bool note_rings) {
  static char text[4096 + 1];
  size_t kept = 0;
  struct range private = {0, 0}; /* mappings without a shared one between them, or one of the kernel */
  off_t at = 0;
  for (;;) {
    ssize_t got = pread(maps_fd, text + kept, sizeof text - 1 - kept, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) {
      let_fork(private);
      return 0;
    }
    at += got;
    size_t length = kept + (size_t)got;
    text[length] = 0;
    char *line = text;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
      *end = 0;
      char *rest;
      uintptr_t start = strtoul(line, &rest, 16);
      if (*rest != '-') continue;
      uintptr_t stop = strtoul(rest + 1, &rest, 16);
      bool is_shared = strlen(rest) > 4 && rest[4] == 's';
      if (is_shared && note_rings && ring_count < MAX_RINGS)
        rings[ring_count++] = (struct range){start, stop};
      if (note_rings) continue;
      if (is_shared || strstr(rest, "[v")) {
        let_fork(private);
        private = (struct range){0, 0};
      } else {
        if (private.end == 0) private.start = start;
        private.end = stop;
      }
    }
    kept = strlen(line);
    memmove(text, line, kept);
    if (kept == sizeof text - 1) return -EIO; /* no line is that long */
  }
}

/* What is open now belongs to Node, but for `control`. */
static int note_own_descriptors(int control) {
  own_count = 0;
  for (int fd = CONTROL + 1; fd < 4096; fd++) {
    struct stat about;
    if (fd == control || fd == maps_fd || fd == supervisor_pidfd || fstat(fd, &about) < 0) continue;
    if (own_count == MAX_OWN) return -EMFILE;
    own[own_count++] = (struct own){fd, about.st_ino, S_ISFIFO(about.st_mode)};
  }
  return 0;
}

/* Close what is neither 0 to 3, nor Node's, nor in `keep` (-1: nothing). */
static int close_others(const int *keep, int keep_count) {
  unsigned start = CONTROL + 1;
  for (int next = 0;; start = (unsigned)next + 1) {
    /* The lowest from `start` on that stays. */
    next = -1;
    for (int i = 0; i < own_count + keep_count + 1; i++) {
      int fd = i < own_count ? own[i].fd : i == own_count ? maps_fd : keep[i - own_count - 1];
      if (fd >= (int)start && (next < 0 || fd < next)) next = fd;
    }
    unsigned end = next < 0 ? ~0u : (unsigned)next - 1;
    if (start <= end && syscall(SYS_close_range, start, end, 0) < 0) return -errno;
    if (next < 0) return 0;
  }
}

static void send_report(struct report report, int fd) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec part = {&report, sizeof report};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fd >= 0) put_descriptors(&message, control, &fd, 1);
  ssize_t result;
  do result = sendmsg(CONTROL, &message, MSG_NOSIGNAL);
  while (result < 0 && (errno == EINTR || (errno == EAGAIN && fd >= 0 &&
                                           poll(&(struct pollfd){CONTROL, POLLOUT, 0}, 1, -1) >= 0)));
  if (result >= 0 || errno != EAGAIN) return;
  /* Only news of an end waits: the host may be busy. */
  struct pending *p = malloc(sizeof *p);
  if (!p) return;
  *p = (struct pending){report, NULL};
  *last_pending = p;
  last_pending = &p->next;
}

static void send_pending(void) {
  while (first_pending) {
    struct pending *p = first_pending;
    if (send(CONTROL, &p->report, sizeof p->report, MSG_NOSIGNAL) < 0 && errno == EAGAIN) return;
    first_pending = p->next;
    if (!first_pending) last_pending = &first_pending;
    free(p);
  }
}

/* What the scout has found is in its socket still. */
static void read_touched(void) {
  ssize_t got;
  while (touched_count < MAX_TOUCHED &&
         (got = recv(spare.socket, touched + touched_count,
                     (size_t)(MAX_TOUCHED - touched_count) * sizeof *touched, MSG_DONTWAIT)) > 0)
    touched_count += (int)((size_t)got / sizeof *touched);
  scouting = SCOUTED;
}

/* It has ended, was given its task, or is of no use: then it ends when it sees that nobody will give it one. */
static void lose_spare(void) {
  if (scouting == SCOUTING) read_touched();
  close(spare.socket);
  if (spare.pidfd >= 0) close(spare.pidfd);
  spare.socket = spare.pidfd = -1;
  spare.child = NULL;
}

static void tell_end(struct child *child, int32_t value) {
  if (child->id == 0 || child->is_told) return;
  if (child->id == last_id) last_id = 0;
  send_report((struct report){ENDED, child->id, value}, -1);
  child->is_told = true;
}

static void end_news(struct child *child) {
  if (child->news < 0) return;
  epoll_ctl(news, EPOLL_CTL_DEL, child->news, NULL); /* a child that was just forked may have it still */
  close(child->news);
  child->news = -1;
  news_count--;
}

/* The kernel takes down namespaces before it says that PID 1 has ended, which takes longer than all that the actor's own end takes. So PID 1
 * says it when nobody is left but itself: the exit code; or 0 and an errno, if there never was an actor. Should that not be
 * true, since an actor has made PID 1 say so, it is true from here on: they all end with it. */
static void hear_news(void) {
  struct epoll_event events[16];
  int count = epoll_wait(news, events, 16, 0);
  for (int i = 0; i < count; i++) {
    struct child *child = events[i].data.ptr;
    uint8_t words[2];
    ssize_t got = read(child->news, words, sizeof words);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    end_news(child);
    if (got <= 0) continue; /* it has ended without a word */
    kill(child->pid, SIGKILL);
    if (child == spare.child) lose_spare();
    tell_end(child, got == 1 ? words[0] : -words[1]);
  }
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
    for (struct child **at = &children; *at; at = &(*at)->next) {
      if ((*at)->pid != pid) continue;
      struct child *gone = *at;
      *at = gone->next;
      if (gone == spare.child) lose_spare();
      end_news(gone);
      tell_end(gone, WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status));
      free(gone);
      break;
    }
  }
}

static int child_ended = -1;

/* In whichever thread: V8's can't be told to block it. */
static void note_child_ended(int signal) {
  int saved = errno;
  (void)signal;
  (void)!write(child_ended, &(uint64_t){1}, sizeof(uint64_t));
  errno = saved;
}

static void kill_all(void) {
  for (struct child *c = children; c; c = c->next) kill(c->pid, SIGKILL);
}

/* ── the child ───────────────────────────────────────────────────────────────────────────────── */

/* Everything that came from the supervisor and must not be shared with it. */
static int part_from_supervisor(const int *keep, int keep_count) {
  for (int i = 0; i < ring_count; i++) {
    size_t size = rings[i].end - rings[i].start;
    if (mmap((void *)rings[i].start, size, PROT_READ | PROT_WRITE,
             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
      return -errno;
  }
  int cover = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (cover < 0) return -errno;
  for (int i = 0; i < own_count; i++) {
    struct stat about;
    /* A pipe that is another now was made for this process. */
    if (own[i].is_pipe && fstat(own[i].fd, &about) == 0 && about.st_ino != own[i].inode) continue;
    if (dup3(cover, own[i].fd, O_CLOEXEC) < 0) return -errno;
  }
  return close_others(keep, keep_count);
}

static void default_signals(void) {
  struct sigaction plain = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < 65; signal++)
    /* V8 turns faults of WebAssembly into errors; any other is as if there were no handler. */
    if (signal != SIGSEGV && signal != SIGBUS) sigaction(signal, &plain, NULL);
}

static void let_signals_in(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* allow_signals(): those that a process has waited with until it could be ended by them, or pass them on.
 * sigprocmask(2) */
napi_value sys_allow_signals(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  let_signals_in();
  return NULL;
}

/* One of the three: what was given, or a pipe whose other end is closed. */
static int set_standard(int number, int fd) {
  if (fd >= 0) return dup2(fd, number) < 0 ? -errno : 0;
  int ends[2];
  if (pipe(ends) < 0) return -errno;
  int result = dup2(ends[number == 0 ? 0 : 1], number) < 0 ? -errno : 0;
  close(ends[0]);
  close(ends[1]);
  return result;
}

/* In order of the request's descriptors; -1: it has none. */
struct given {
  int inbox, cwd, standard[3], arg, body, set_up;
};

static int sort_descriptors(uint32_t has, const int *fds, int count, struct given *out) {
  int next = 0;
#define NEXT(bit) (has & (bit) ? (next < count ? fds[next++] : (next++, -1)) : -1)
  out->inbox = count > 0 ? fds[next++] : -1;
  out->cwd = NEXT(HAS_CWD);
  out->standard[0] = NEXT(HAS_STDIN);
  out->standard[1] = NEXT(HAS_STDOUT);
  out->standard[2] = NEXT(HAS_STDERR);
  out->arg = NEXT(HAS_ARG);
  out->body = NEXT(HAS_BODY);
  out->set_up = NEXT(HAS_SET_UP);
#undef NEXT
  return next == count && count > 0 ? 0 : -EINVAL;
}

/* Whether another thread of this process runs, or would if there was a processor for it. proc(5) */
static bool others_run(DIR *tasks) {
  bool found = false;
  rewinddir(tasks);
  for (struct dirent *entry; !found && (entry = readdir(tasks));) {
    char path[32], text[256];
    if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid()) continue;
    snprintf(path, sizeof path, "%.20s/stat", entry->d_name);
    int fd = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue; /* it has ended */
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    const char *end = strrchr(text, ')'); /* of its name */
    found = end && end[1] && (end[2] == 'R' || end[2] == 'D');
  }
  return found;
}

/* Before a fork: threads of V8 may be in malloc(3), and clone(2) copies the lock that they hold but not them,
 * so that the child would wait for ever. All that they do is what this thread has asked for, and when they
 * sleep they hold nothing. Up to a second; without a /proc not at all. */
static void wait_for_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) return;
  for (int i = 0; i < 5000 && others_run(tasks); i++)
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  closedir(tasks);
}

static int open_maps(void) {
  maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  host_kept_fd = maps_fd;
  return maps_fd < 0 ? -errno : 0;
}

enum { NOBODY = 65534 };

/* The supervisor gives its child in a new user namespace the id of nobody, inside and outside. */
static bool write_map(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write(fd, "65534 65534 1\n", 14) == 14;
  close(fd);
  return done;
}

/* A map of a user namespace of ours may leave nobody out: then nobody can't be given away. user_namespaces(7) */
static bool maps_nobody(const char *path) {
  FILE *map = fopen(path, "re");
  unsigned long first, count;
  bool found = false;
  while (map && !found && fscanf(map, "%lu %*u %lu", &first, &count) == 2)
    found = first <= NOBODY && NOBODY - first < count;
  if (map) fclose(map);
  return found;
}

static bool has_nobody(void) {
  return geteuid() == 0 && maps_nobody("/proc/self/uid_map") && maps_nobody("/proc/self/gid_map");
}

/* Where memory runs out, of a machine or of a group of processes, the kernel ends whoever has most points: a sandbox before its
 * maker, and before all others. Here, since the files of who changes its user are root's. proc_pid_oom_score_adj(5) */
static void end_first(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)!write(fd, "1000", 4);
  close(fd);
}

static int become_nobody(void) {
  if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
      setresuid(NOBODY, NOBODY, NOBODY) < 0)
    return -errno;
  return 0;
}

/* ── pages ───────────────────────────────────────────────────────────────────────────────────── */

enum { PAGE = 4096, AROUND = 8, LARGEST_HOLE = 64 * 1024, SMALLEST_HOLE = 24 };

/* In a child: the pages that it will write to become its own all at once, where one by one each would be a fault. A
 * spare has the time to look at the others, too. */
static void touch_pages(void) {
  bool is_ahead = role != ACTOR;
  for (const struct touched *t = touched; t < touched + touched_count; t++) {
    if (!is_ahead && t->how != WRITTEN && t->how != WRITTEN_SAME) continue;
    size_t size = (size_t)t->pages * PAGE;
    /* What is not there, or may not be written to, is left alone. */
    if (madvise((void *)t->start, size, t->how == READ ? MADV_POPULATE_READ : MADV_POPULATE_WRITE) < 0)
      continue;
    /* A machine that is a virtual one may have tables of its own to fill. */
    for (size_t at = 0; is_ahead && at < size; at += t->how == READ ? AROUND * PAGE : PAGE)
      (void)*(volatile char *)(t->start + at);
  }
}

/* Whole pages of a buffer become this process's own. */
static void populate(uint8_t *bytes, size_t size) {
  uintptr_t start = ((uintptr_t)bytes + PAGE - 1) & -(uintptr_t)PAGE, stop = (uintptr_t)(bytes + size) & -(uintptr_t)PAGE;
  if (madvise((void *)start, stop - start, MADV_POPULATE_WRITE) < 0) return;
  /* As above. Nobody else writes to them. */
  for (uintptr_t at = start; at < stop; at += PAGE) *(volatile char *)at = *(volatile char *)at;
}

static void send_touched(const struct touched *list, int count) {
  if (count > 0) (void)!send(CONTROL, list, (size_t)count * sizeof *list, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum { FIND_PAGES = 512 };

/* Of its own, not a page that others would get for it. */
struct find {
  uint64_t pages[FIND_PAGES];
  struct touched list[FIND_PAGES];
  int found;
};

static void note_touched(struct find *room, uintptr_t page, int how) {
  struct touched *last = room->list + room->found - 1;
  if (room->found > 0 && last->start + (uintptr_t)last->pages * PAGE == page && (int)last->how == how) {
    last->pages++;
    return;
  }
  if (room->found == FIND_PAGES) {
    send_touched(room->list, room->found);
    room->found = 0;
  }
  room->list[room->found++] = (struct touched){page, 1, how};
}

/* Pages of a mapping that are this process's own (written), or those of a file that it has looked at (read). */
static void find_touched(int pagemap, uintptr_t start, uintptr_t stop, bool can_write, bool is_end,
                         struct find *room) {
  uint64_t *pages = room->pages;
  const uint64_t present = 1ull << 63, of_file = 1ull << 61, exclusive = 1ull << 56;
  for (uintptr_t at = start; at < stop; at += FIND_PAGES * PAGE) {
    size_t wanted = (stop - at) / PAGE < FIND_PAGES ? (stop - at) / PAGE : FIND_PAGES;
    ssize_t got = pread(pagemap, pages, wanted * sizeof *pages, (off_t)(at / PAGE * sizeof *pages));
    size_t count = got < 0 ? 0 : (size_t)got / sizeof *pages;
    for (size_t i = 0; i < count; i++) {
      uintptr_t page = at + i * PAGE;
      bool is_file = pages[i] & of_file;
      bool is_told = is_file ? is_end : can_write && pages[i] & exclusive;
      if (!(pages[i] & present) || !is_told) continue;
      note_touched(room, page, is_file ? READ : is_end ? WRITTEN_MAYBE : pages_is_same(page) ? WRITTEN_SAME : WRITTEN);
    }
  }
}

/* tell_touched(is_end): the scout says which pages it has written to. Those that it has at its end, and those of files that it
 * has looked at by then, are for spares.  proc_pid_pagemap(5) */
napi_value sys_tell_touched(napi_env env, napi_callback_info info) {
  int32_t is_end;
  if (!take_int32s(env, info, &is_end, 1)) return NULL;
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[PATH_MAX + 128];
  struct range part = {0, 0};
  bool can_write = false;
  struct find *room = mmap(NULL, sizeof *room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (pagemap >= 0 && maps && room != MAP_FAILED && fgets(line, sizeof line, maps)) {
    char *rest;
    uintptr_t start = strtoul(line, &rest, 16), stop = strtoul(rest + 1, &rest, 16);
    bool is_private = strlen(rest) > 4 && rest[1] == 'r' && rest[4] == 'p', writes = rest[2] == 'w';
    if (!is_private || strstr(rest, "[v")) continue;
    if (start != part.end || writes != can_write) {
      find_touched(pagemap, part.start, part.end, can_write, is_end, room);
      part.start = start;
      can_write = writes;
    }
    part.end = stop; /* with its neighbour: pages_look_one_by_one has made many of few */
  }
  if (room != MAP_FAILED) {
    find_touched(pagemap, part.start, part.end, can_write, is_end, room);
    send_touched(room->list, room->found);
    munmap(room, sizeof *room);
  }
  if (maps) fclose(maps);
  if (pagemap >= 0) close(pagemap);
  return NULL;
}

/* What the kernel does when it ends, it does for those who have asked for it by then. getppid(2) doesn't say it in a
 * namespace of processes. */
static bool supervisor_has_ended(void) {
  return poll(&(struct pollfd){supervisor_pidfd, POLLIN, 0}, 1, 0) > 0;
}

/* Up to the point where JavaScript goes on. */
static int begin_child(struct given *given, bool forks_again) {
  int result;
  pages_begin();
  default_signals();
  if (!forks_again) let_signals_in();
  host_death_signal = SIGKILL;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (supervisor_has_ended()) return -ECHILD;
  umask(022);
  if (given->cwd >= 0) (void)!fchdir(given->cwd);
  for (int i = 0; i < 3; i++)
    if ((result = set_standard(i, given->standard[i])) < 0) return result;
  if (dup3(given->inbox, CONTROL, O_CLOEXEC) < 0) return -errno;
  close(maps_fd);
  maps_fd = -1;
  if (forks_again && (result = open_maps()) < 0) return result;
  return part_from_supervisor((int[]){given->arg, given->body, given->set_up, told}, 4);
}

/* A process with namespaces of its own. It takes no signals yet: what is sent to it as soon as its pid is known would be
 * ignored, as by the supervisor, or by the kernel for PID 1. @return its pid; 0 in itself; or -errno: what there is of it
 * will be reaped as one that nobody knows
 * @param news_out  from where to read how the actor has ended, if it is not NULL and PID 1 will say so; or -1 */
static pid_t fork_child(uint32_t clone_flags, bool wants_nobody, int *news_out) {
  /* A process namespace is made by clone(2): others can be entered by the process itself. */
  bool is_init = clone_flags & CLONE_NEWPID;
  bool unshares = clone_flags && !is_init;
  bool is_nobody = is_init && wants_nobody && gives_nobody;
  int sync[2] = {-1, -1}, ends[2] = {-1, -1};
  sigset_t all, before;
  int result = is_for_forks ? 0 : visit_mappings(false);
  if (result < 0) return result;
  is_for_forks = true;
  if ((unshares || is_nobody) && pipe2(sync, O_CLOEXEC) < 0) return -errno;
  if (news_out && is_init && news >= 0 && news_count < MAX_NEWS && pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
    ends[0] = ends[1] = -1;
  wait_for_threads();
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = is_init ? (pid_t)syscall(SYS_clone, clone_flags | SIGCHLD, NULL, NULL, NULL, NULL) : fork();
  result = pid < 0 ? -errno : 0;
  if (pid != 0) sigprocmask(SIG_SETMASK, &before, NULL);
  if (pid == 0) {
    told = ends[1];
    int failure = unshares && unshare((int)clone_flags) < 0 ? errno : 0;
    if (unshares) {
      (void)!write(sync[1], &failure, sizeof failure);
      if (failure) _exit(1);
    }
    if (wants_nobody) end_first();
    if (is_nobody) {
      char go;
      close(sync[1]);
      if (read(sync[0], &go, 1) != 1 || become_nobody() < 0) _exit(1);
    }
    return 0;
  }
  if (pid > 0 && is_nobody && !(write_map(pid, "gid_map") && write_map(pid, "uid_map") &&
                                write(sync[1], "", 1) == 1)) {
    result = -errno;
    kill(pid, SIGKILL);
  }
  if (sync[1] >= 0) close(sync[1]);
  if (pid > 0 && unshares) {
    int failure = 0;
    ssize_t got;
    do got = read(sync[0], &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got != sizeof failure) failure = ECHILD;
    if (failure) result = -failure;
  }
  if (sync[0] >= 0) close(sync[0]);
  if (ends[1] >= 0) close(ends[1]);
  if (result < 0 && ends[0] >= 0) close(ends[0]);
  else if (news_out) *news_out = ends[0];
  return result < 0 ? result : pid;
}

static struct child *note_child(struct child *child, pid_t pid, uint32_t id, int from) {
  struct epoll_event event = {EPOLLIN, {.ptr = child}};
  *child = (struct child){pid, (int32_t)id, from, false, children};
  if (from >= 0) news_count++;
  if (from >= 0 && epoll_ctl(news, EPOLL_CTL_ADD, from, &event) < 0) end_news(child);
  return children = child;
}

/* The first packet of the inbox, or nothing where the task is in a file. @return its length or -errno */
static ssize_t receive_task(const struct given *given, uint8_t *body) {
  if (given->body >= 0) return 0;
  struct iovec part = {body, MAX_TASK};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t length;
  do length = recv(CONTROL, NULL, 0, MSG_PEEK | MSG_TRUNC);
  while (length < 0 && errno == EINTR);
  if (length > USUAL_TASK && length <= MAX_TASK) populate(body, (size_t)length);
  do length = recvmsg(CONTROL, &message, 0);
  while (length < 0 && errno == EINTR);
  return length < 0 ? -errno : length == 0 || message.msg_flags & MSG_TRUNC ? -EPROTO : length;
}

/* A packet of `parts`, with descriptors. @param fds  as many as it had room for */
static ssize_t receive_packet(struct iovec *parts, size_t part_count, int *fds, int *count, int flags) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_REQUEST_FDS * sizeof(int))];
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = part_count, .msg_control = control,
                           .msg_controllen = sizeof control};
  *count = 0;
  ssize_t length = recvmsg(CONTROL, &message, MSG_CMSG_CLOEXEC | flags);
  if (length < 0) return -errno;
  *count = take_descriptors(&message, fds, MAX_REQUEST_FDS, close);
  if (message.msg_flags & MSG_CTRUNC) {
    for (int i = 0; i < *count; i++) close(fds[i]);
    *count = -EMFILE;
  }
  return length;
}

/* A request's descriptors, to the spare. @return whether it has them */
static bool give_task(struct request *request, const int *fds, int count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_REQUEST_FDS * sizeof(int))] = {0};
  struct iovec part = {request, sizeof *request};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  put_descriptors(&message, control, fds, count);
  ssize_t result;
  do result = sendmsg(spare.socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (result < 0 && errno == EINTR);
  return result >= 0;
}

static bool spare_is_of_kind(const struct request *request, const uint8_t *kind) {
  return spare.clone_flags == request->clone_flags &&
         spare.is_nobody == ((request->has & IS_NOBODY) != 0) &&
         spare.kind_length == request->kind_length &&
         memcmp(spare.kind, kind, request->kind_length) == 0;
}

/* A request asks for another of this kind. */
static void want_spare(const struct request *request, const uint8_t *kind) {
  if (spare.child && scouting == SCOUTED) {
    if (spare_is_of_kind(request, kind)) return;
    lose_spare();
  }
  spare.is_wanted = true;
  spare.clone_flags = request->clone_flags;
  spare.is_nobody = request->has & IS_NOBODY;
  spare.kind_length = request->kind_length;
  memcpy(spare.kind, kind, request->kind_length);
}

/* ── programs in huge pages ──────────────────────────────────────────────────────────────────── */

enum { HUGE = 2 * 1024 * 1024, MOST_PARTS = 64, WORTHWHILE = 64 };

/* How many pages of a block actors look at. */
static int looked_at(uintptr_t block) {
  int pages = 0;
  for (const struct touched *t = touched; t < touched + touched_count; t++) {
    uintptr_t start = t->start, stop = start + (uintptr_t)t->pages * PAGE;
    if (start < block) start = block;
    if (stop > block + HUGE) stop = block + HUGE;
    if (t->how == READ && start < stop) pages += (int)((stop - start) / PAGE);
  }
  return pages;
}

/* A copy takes the place of this block, at once: what runs in it meanwhile goes on. */
static void make_huge(uintptr_t block, int protection) {
  char *room = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return;
  char *copy = (char *)(((uintptr_t)room + HUGE - 1) & -(uintptr_t)HUGE);
  if (madvise(copy, HUGE, MADV_HUGEPAGE) == 0) {
    memcpy(copy, (void *)block, HUGE);
    __builtin___clear_cache(copy, copy + HUGE);
    /* Not in one page, it would be more to copy for each fork than the file's. */
    if (madvise(copy, HUGE, MADV_COLLAPSE) == 0 && madvise(copy, HUGE, MADV_NOHUGEPAGE) == 0 &&
        mprotect(copy, HUGE, protection) == 0)
      mremap(copy, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)block);
  }
  munmap(room, 2 * HUGE);
}

/* What actors use of programs lies in so many places that a process has to look up 3,800 pages of files in twenty tables, and
 * to take all that down at its end. In huge pages, which are the supervisor's, it is one entry for 512 pages. Where native/start/heap.c
 * isn't, huge pages are not wanted. */
static void use_huge_pages(void) {
  static struct { uintptr_t start, stop; int protection; } parts[MOST_PARTS];
  const struct perilune_heap *heap = dlsym(RTLD_DEFAULT, "perilune_heap");
  FILE *maps = heap && heap->wants_huge_pages ? fopen("/proc/self/maps", "re") : NULL;
  char line[PATH_MAX + 128], rights[5];
  int count = 0;
  if (!maps) return;
  while (count < MOST_PARTS && fgets(line, sizeof line, maps)) {
    unsigned long start, stop, inode;
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &start, &stop, rights, &inode) < 4 || inode == 0) continue;
    bool is_constant = rights[0] == 'r' && rights[1] == '-' && rights[3] == 'p';
    if (!is_constant || (rights[2] == 'x' && code_is_of_files)) continue;
    parts[count].start = (start + HUGE - 1) & -(uintptr_t)HUGE;
    parts[count].stop = stop & -(uintptr_t)HUGE;
    parts[count++].protection = rights[2] == 'x' ? PROT_READ | PROT_EXEC : PROT_READ;
  }
  fclose(maps);
  for (int i = 0; i < count; i++)
    for (uintptr_t block = parts[i].start; block < parts[i].stop; block += HUGE)
      if (looked_at(block) >= WORTHWHILE) make_huge(block, parts[i].protection);
}

static enum pages_kind kind_of(const struct touched *t) {
  return t->how == WRITTEN_SAME ? PAGES_SAME : t->how == WRITTEN ? PAGES_GIVEN : PAGES_MAYBE;
}

/* Pages that the scout has written to. */
static int collect_touched(uintptr_t *pages, enum pages_kind kind) {
  int count = 0;
  for (const struct touched *t = touched; t < touched + touched_count; t++)
    for (uint32_t i = 0; t->how != READ && kind_of(t) == kind && i < t->pages && count < MAX_TOUCHED; i++)
      pages[count++] = t->start + (uintptr_t)i * PAGE;
  return count;
}

/* Once the scout has said what actors write to, before the next fork. */
static void share_touched(void) {
  static uintptr_t pages[MAX_TOUCHED];
  static bool is_done;
  if (is_done || scouting != SCOUTED) return;
  is_done = true;
  for (enum pages_kind kind = PAGES_SAME; kind <= PAGES_MAYBE; kind++) pages_note(pages, collect_touched(pages, kind), kind);
  pages_noted();
  for (const struct touched *t = touched; t < touched + touched_count; t++)
    if (t->how == READ || t->how == WRITTEN_MAYBE) pages_keep(t->start, t->pages);
  pages_forget();
}

/* @return whether this is the child */
static bool make_spare(void) {
  static bool is_huge;
  bool is_scout = scouting == NOT_SCOUTED;
  uint32_t clone_flags = is_scout ? 0 : spare.clone_flags;
  int ends[2];
  if (!is_scout && !is_huge) use_huge_pages();
  is_huge |= !is_scout;
  share_touched();
  struct child *child = malloc(sizeof *child);
  if (!child || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
    free(child);
    spare.is_wanted = false;
    return false;
  }
  int from = -1;
  pid_t pid = fork_child(clone_flags, !is_scout && spare.is_nobody, &from);
  if (pid == 0) {
    struct given given = {ends[1], -1, {-1, -1, -1}, -1, -1, -1};
    if (begin_child(&given, clone_flags & CLONE_NEWPID) < 0) _exit(1);
    role = is_scout ? SCOUT : SPARE;
    if (is_scout) pages_look_one_by_one();
    return true;
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    free(child);
    spare.is_wanted = false;
    return false;
  }
  spare.child = note_child(child, pid, 0, from);
  spare.socket = ends[0];
  spare.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (is_scout) scouting = SCOUTING;
  else spare.is_wanted = false;
  if (spare.pidfd < 0) kill(pid, SIGKILL);
  return false;
}

static void report_start(uint32_t id, pid_t pid, int pidfd, int error) {
  send_report((struct report){STARTED, (int32_t)id, pidfd < 0 ? error : pid}, pidfd);
}

/* What a request asks for. `given` is the caller's in a child only. @return whether this is the child */
static bool serve(struct request *request, uint8_t *body, size_t length, const int *fds, int count,
                  struct given *given) {
  bool keeps_spare = request->has & KEEPS_SPARE;
  requests++;
  last_id = (int32_t)request->id;
  int result = count < 0 ? count : sort_descriptors(request->has, fds, count, given);
  if (request->kind_length != length || length > MAX_KIND) result = -EINVAL;
  if (result == 0 && keeps_spare && spare.child && scouting == SCOUTED &&
      spare_is_of_kind(request, body) &&
      give_task(request, fds, count)) {
    spare.child->id = (int32_t)request->id;
    report_start(request->id, spare.child->pid, spare.pidfd, -ESRCH);
    lose_spare();
    spare.is_wanted = true;
    return false;
  }
  share_touched();
  struct child *child = malloc(sizeof *child);
  if (!child) result = -ENOMEM;
  int from = -1;
  /* Where a script runs in PID 1 it has nothing open that isn't the script's. */
  pid_t pid = result < 0 ? result : fork_child(request->clone_flags, request->has & IS_NOBODY, keeps_spare ? &from : NULL);
  if (pid == 0) return true;
  if (pid < 0) {
    free(child);
    report_start(request->id, 0, -1, pid);
    return false;
  }
  note_child(child, pid, request->id, from);
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  report_start(request->id, pid, pidfd, pidfd < 0 ? -errno : 0);
  if (pidfd >= 0) close(pidfd);
  else kill(pid, SIGKILL);
  if (keeps_spare) want_spare(request, body);
  return false;
}

/* Where addresses of `supervise` are: a body of MAX_BODY, and an Int32Array of 8. */
static bool take_room(napi_env env, napi_callback_info info, uint8_t **body, int32_t **out) {
  napi_value args[2];
  void *data = NULL;
  size_t room = 0;
  napi_typedarray_type type;
  if (!take_args(env, info, args, 2) || !take_bytes(env, args[0], 0, MAX_BODY, body)) return false;
  if (napi_get_typedarray_info(env, args[1], &type, &room, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || room < 8) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return false;
  }
  *out = data;
  return true;
}

/* What malloc(3) would give to a child lies in holes all over its heap, between what stays: each piece makes a page of the
 * supervisor's the child's own. So that it comes from the end of the heap, page after page, the holes are taken, and never
 * given back. Nothing is written to them but what malloc itself writes. */
/* @return  where the part of malloc's heap ends that will always be there */
static uintptr_t fill_holes(void) {
#ifdef __GLIBC__
  malloc_trim(0);
  char *end = sbrk(0);
  for (size_t size = LARGEST_HOLE; size >= SMALLEST_HOLE; size -= size > 1024 ? size / 2 : size == 1024 ? 8 : 16)
    for (char *hole; (hole = malloc(size));)
      if (hole + size > end - PAGE) { /* there is none of this size any more */
        free(hole);
        break;
      }
  return (uintptr_t)malloc(LARGEST_HOLE) & -(uintptr_t)PAGE;
#else
  return 0;
#endif
}

/* supervise(body: Uint8Array(MAX_BODY), out: Int32Array(8), out[0]: no memory but that of files is to be executed; out[1]: processes give
 * back memory all the time) -> in a child: the length of the request's body, which
 * begins with its kind. out: init.arg or -1, descriptor of a longer body or -1, CLONE_ flags, length of
 * the kind, role. In the supervisor it never returns, but with -errno at the start. */
napi_value sys_supervise(napi_env env, napi_callback_info info) {
  uint8_t *body;
  int32_t *out;
  int result;
  if (!take_room(env, info, &body, &out)) return NULL;
  supervisor = getpid();
  supervisor_pidfd = (int)syscall(SYS_pidfd_open, supervisor, 0);
  code_is_of_files = out[0];
  gives_back_often = out[1];
  gives_nobody = has_nobody();
  uintptr_t heap_end = fill_holes();
  wait_for_threads();
  pages_share(heap_end);
  if ((result = open_maps()) < 0 || (result = visit_mappings(true)) < 0 ||
      (result = note_own_descriptors(-1)) < 0)
    return give_int32(env, result);
  pages_open_list();

  struct sigaction ignore = {.sa_handler = SIG_IGN};
  /* A terminal sends these to the whole group: they are for the program, not for us. */
  static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU,
                                SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) sigaction(ignored[i], &ignore, NULL);
  news = epoll_create1(EPOLL_CLOEXEC); /* -1: PID 1 of each ends without a word */
  child_ended = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (child_ended < 0) return give_result(env, -1);
  struct sigaction note = {.sa_handler = note_child_ended, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  sigaction(SIGCHLD, &note, NULL);

  for (;;) {
    struct pollfd polled[3] = {{CONTROL, (short)(POLLIN | (first_pending ? POLLOUT : 0)), 0},
                               {child_ended, POLLIN, 0},
                               {news, POLLIN, 0}};
    bool makes_spare = spare.is_wanted && !spare.child;
    /* A second request before there was a pause: there may be many, and what the scout finds is good for each. */
    bool is_urgent = makes_spare && scouting == NOT_SCOUTED && requests > 1;
    int delay = last_id != 0 ? SPARE_DELAY : SHORT_DELAY;
    int ready = is_urgent ? 0 : poll(polled, 3, makes_spare ? delay : -1);
    if (ready < 0) continue;
    if (ready == 0) {
      if (!make_spare()) continue;
      memcpy(body, spare.kind, spare.kind_length);
      memcpy(out, (int32_t[]){-1, -1, role == SCOUT ? 0 : (int32_t)spare.clone_flags,
                              (int32_t)spare.kind_length, role}, 5 * sizeof *out);
      if (!(out[2] & CLONE_NEWPID)) touch_pages();
      return give_int32(env, out[3]);
    }
    if (polled[2].revents) hear_news();
    if (polled[1].revents) {
      uint64_t count;
      (void)!read(child_ended, &count, sizeof count);
      reap();
    }
    if (polled[0].revents & POLLOUT) send_pending();
    if (!(polled[0].revents & (POLLIN | POLLHUP | POLLERR))) continue;

    struct request request;
    struct iovec parts[2] = {{&request, sizeof request}, {body, MAX_BODY}};
    int fds[MAX_REQUEST_FDS], count;
    ssize_t length = receive_packet(parts, 2, fds, &count, MSG_DONTWAIT);
    if (length == -EAGAIN || length == -EINTR) continue;
    if (length < (ssize_t)sizeof request) {
      kill_all();
      _exit(0); /* the host is gone */
    }
    size_t body_length = (size_t)length - sizeof request;
    struct given given;
    if (serve(&request, body, body_length, fds, count, &given)) {
      bool is_init = request.clone_flags & CLONE_NEWPID;
      if (begin_child(&given, is_init) < 0) _exit(1);
      ssize_t task = receive_task(&given, body + body_length);
      if (task < 0) _exit(1);
      memcpy(out, (int32_t[]){given.arg, given.body, (int32_t)request.clone_flags,
                              (int32_t)request.kind_length, ACTOR}, 5 * sizeof *out);
      if (!is_init) touch_pages();
      return give_int32(env, (int32_t)(body_length + (size_t)task));
    }
    for (int i = 0; i < count; i++) close(fds[i]);
    memset(body, 0, body_length); /* the next child is to know nothing of it */
  }
}

/* A descriptor gets this number. With the calls that a filter may have left: fcntl(2) and close(2). */
static int move_to(int fd, int number, bool stays_open) {
  if (fd != number) {
    close(number);
    if (fcntl(fd, F_DUPFD_CLOEXEC, number) != number) return -EIO;
    close(fd);
  }
  return stays_open ? fcntl(number, F_SETFD, 0) : 0;
}

/* ── an idle process ─────────────────────────────────────────────────────────────────────────── */

/* What an actor has needed to begin with, and not since: memory that malloc(3) keeps, and the stack below us. Nobody else
 * uses either: V8's threads are not in a child. */
static void give_back_room(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  uintptr_t low = ((uintptr_t)__builtin_frame_address(0) & -(uintptr_t)PAGE) - 2 * PAGE;
  madvise((void *)(low - MAX_STACK), MAX_STACK, MADV_DONTNEED); /* ENOMEM: not all of it is there */
}

/* give_back_bytes(bytes: Uint8Array, length) -> 0 or -errno: whole pages of it aren't this process's own any more, and have lost
 * what they were. */
napi_value sys_give_back_bytes(napi_env env, napi_callback_info info) {
  int32_t length;
  uint8_t *bytes;
  if (!take_bytes_alone(env, info, &bytes, &length)) return NULL;
  uintptr_t start = ((uintptr_t)bytes + PAGE - 1) & -(uintptr_t)PAGE, stop = (uintptr_t)(bytes + length) & -(uintptr_t)PAGE;
  if (start >= stop) return give_int32(env, 0);
  return give_result(env, madvise((void *)start, stop - start, MADV_DONTNEED));
}

static void give_back(uv_timer_t *timer) {
  static int looks;
  if (looks++ == 0 || gives_back_often) give_back_room();
  bool is_done = pages_give_back(gives_back_often || role == SPARE ? PAGES_MAYBE : PAGES_GIVEN);
  if (gives_back_often) return;
  bool is_last = is_done || looks == MOST_LOOKS;
  if (is_last || uv_timer_start(timer, give_back, LOOK_EACH, 0) < 0) pages_end();
}

/* Some time after the program's first line: it keeps no event loop alive. */
static void give_back_later(uv_loop_t *loop) {
  static uv_timer_t timer;
  uv_update_time(loop);
  if (uv_timer_init(loop, &timer) == 0 && uv_timer_start(&timer, give_back, gives_back_often ? 1 : GIVE_BACK_AFTER, gives_back_often) == 0)
    uv_unref((uv_handle_t *)&timer);
}

/* take_task(body: Uint8Array(MAX_BODY), out: Int32Array(8)) -> in a spare, the length of its task, for which it
 * waits; out as supervise's. The process ends if there is none. */
napi_value sys_take_task(napi_env env, napi_callback_info info) {
  uint8_t *body;
  int32_t *out;
  uv_loop_t *loop;
  if (!take_room(env, info, &body, &out)) return NULL;
  struct request request;
  struct iovec part = {&request, sizeof request};
  int fds[MAX_REQUEST_FDS], count;
  ssize_t length;
  populate(body, USUAL_TASK);
  do length = receive_packet(&part, 1, fds, &count, 0);
  while (length == -EINTR);
  struct given given;
  if (length < (ssize_t)sizeof request || count < 0 ||
      sort_descriptors(request.has, fds, count, &given) < 0)
    _exit(length > 0);
  if (given.cwd >= 0) {
    (void)!fchdir(given.cwd);
    close(given.cwd);
  }
  for (int i = 0; i < 3; i++)
    if (given.standard[i] >= 0 && move_to(given.standard[i], i, true) < 0) _exit(1);
  if (move_to(given.inbox, CONTROL, false) < 0 || (length = receive_task(&given, body)) < 0) _exit(1);
  if (napi_get_uv_event_loop(env, &loop) == napi_ok) give_back_later(loop);
  out[0] = given.arg;
  out[1] = given.body;
  return give_int32(env, (int32_t)length);
}

static struct range programs[MAX_MAPPINGS]; /* what of each program and library is in memory */
static int program_count;

static int note_program(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  (void)data;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = info->dlpi_phdr + i;
    uintptr_t start = info->dlpi_addr + part->p_vaddr;
    if (part->p_type == PT_LOAD && program_count < MAX_MAPPINGS)
      programs[program_count++] = (struct range){start, (start + part->p_memsz + PAGE - 1) & -(uintptr_t)PAGE};
  }
  return 0;
}

/* Where in an anonymous mapping what no program needs begins: data that is all zeros at the start has no file. */
static uintptr_t after_programs(uintptr_t start, uintptr_t stop) {
  for (int i = 0; i < program_count; i++)
    if (programs[i].start < stop && start < programs[i].end) start = programs[i].end;
  return start;
}

/* What PID 1 has that it can be without: mappings to take down, and those that stay, to be as they were at the start:
 * of a file again, or zeros. */
struct dropped {
  struct range *unused, kept[MAX_KEPT];
  int unused_count, kept_count;
};

/* Unused is all but the stack, this thread's own data (the kernel writes there: rseq(2)), and what belongs to files. */
static void find_dropped(struct dropped *out) {
  static struct range unused[MAX_MAPPINGS];
  FILE *maps = fdopen(maps_fd, "re");
  uintptr_t stack = (uintptr_t)&maps, thread = (uintptr_t)__builtin_thread_pointer();
  int count = 0, kept = 0;
  bool goes_on = false; /* with nothing that stays in between */
  char line[PATH_MAX + 128];
  dl_iterate_phdr(note_program, NULL);
  while (maps && program_count < MAX_MAPPINGS && fgets(line, sizeof line, maps)) {
    unsigned long start, stop, inode;
    int name = 0;
    char rights[5];
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %n", &start, &stop, rights, &inode, &name) < 4) continue;
    bool is_of_heap = strncmp(line + name, "/memfd:", 7) == 0; /* pages.c */
    bool is_named = (inode != 0 && !is_of_heap) || (line[name] == '[' && strncmp(line + name, "[heap]", 6) != 0);
    bool is_used = (start <= stack && stack < stop) || (start <= thread && thread < stop);
    bool stays = is_named || is_used;
    /* Node itself may be there without a file: see use_huge_pages. */
    unsigned long from = stays ? stop : rights[1] == 'w' ? after_programs(start, stop) : start;
    if (from == start && goes_on) unused[count - 1].end = stop;
    else if (from < stop && count < MAX_MAPPINGS) unused[count++] = (struct range){from, stop};
    goes_on = from < stop && count > 0 && unused[count - 1].end == stop;
    if (start < from && !is_used && rights[1] == 'w' && rights[3] == 'p' && kept < MAX_KEPT)
      out->kept[kept++] = (struct range){start, from};
  }
  out->unused = unused;
  out->unused_count = count;
  out->kept_count = kept;
}

/* A system call that needs nothing of the C library, no memory but the stack, and says -errno. Where there is none, that
 * of the library, which needs its data. */
#if defined __x86_64__
#define HAS_BARE_CALLS 1
static inline __attribute__((always_inline)) long bare_call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined __aarch64__
#define HAS_BARE_CALLS 1
static inline __attribute__((always_inline)) long bare_call(long number, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#define HAS_BARE_CALLS 0
#define bare_call(number, a, b, c, d) syscall(number, a, b, c, d)
#endif

/* Give back what PID 1 has from the supervisor and never looks at again: a heap, twice in memory, and to be taken down
 * while somebody waits for its end. Then what it has written to until now: it needs this frame and no other, since it
 * never returns, and no data of the C library.
 * @param arguments  on the stack, where proc(5) shows the command */
static inline __attribute__((always_inline)) void drop_memory(const struct dropped *dropped, uintptr_t arguments) {
  for (int i = 0; i < dropped->unused_count; i++) {
    const struct range *range = dropped->unused + i;
    bare_call(SYS_munmap, (long)range->start, (long)(range->end - range->start), 0, 0);
  }
  if (!HAS_BARE_CALLS) return;
  for (int i = 0; i < dropped->kept_count; i++) {
    const struct range *range = dropped->kept + i;
    bare_call(SYS_madvise, (long)range->start, (long)(range->end - range->start), MADV_DONTNEED, 0);
  }
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0) & -(uintptr_t)PAGE;
  uintptr_t low = frame - 2 * PAGE, high = frame + 2 * PAGE; /* the frame is below its address, and smaller than a page */
  bare_call(SYS_madvise, (long)(low - MAX_STACK), MAX_STACK, MADV_DONTNEED, 0); /* ENOMEM: not all of it is there */
  arguments &= -(uintptr_t)PAGE;
  if (high < arguments) bare_call(SYS_madvise, (long)high, (long)(arguments - high), MADV_DONTNEED, 0);
}

/* PID 1 of a namespace: passes signals on, reaps, and ends as the actor does. It has nothing open but where it says so, as 0. */
static _Noreturn __attribute__((noinline)) void be_init(pid_t actor) {
  sigset_t waited;
  static const int forwarded[] = {SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGINT};
  struct dropped dropped;
  const int says = told; /* what is no local is gone below */
  sigemptyset(&waited);
  sigaddset(&waited, SIGCHLD);
  sigaddset(&waited, SIGRTMIN + 4);
  for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) sigaddset(&waited, forwarded[i]);
  sigprocmask(SIG_SETMASK, &waited, NULL);
  find_dropped(&dropped);
  drop_memory(&dropped, (uintptr_t)program_invocation_name);
  if (says >= 0) bare_call(SYS_dup3, says, 0, O_CLOEXEC, 0);
  bare_call(SYS_close_range, says < 0 ? 0 : 1, ~0u, 0, 0);
  for (;;) {
    int status;
    int code = -1;
    long pid;
    while ((pid = bare_call(SYS_wait4, -1, (long)&status, WNOHANG | __WALL, 0)) > 0)
      if (pid == actor) code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (code >= 0) {
      uint8_t byte = (uint8_t)code;
      /* It has no other children: nobody is left in this namespace. */
      if (says >= 0 && pid < 0) bare_call(SYS_write, 0, (long)&byte, 1, 0);
      bare_call(SYS_exit_group, code, 0, 0, 0);
    }
    long signal = bare_call(SYS_rt_sigtimedwait, (long)&waited, 0, 0, 8);
    if (signal > 0 && signal != SIGCHLD) bare_call(SYS_kill, actor, signal, 0, 0);
  }
}

/* fork_from_init() -> 0 in the actor; PID 1 stays behind. Or -errno; where the supervisor is told of that, PID 1 ends.  fork(2) */
napi_value sys_fork_from_init(napi_env env, napi_callback_info info) {
  (void)info;
  sigset_t all;
  int result = visit_mappings(false);
  if (result < 0) return give_int32(env, result);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing users undoes it */
  transfers_stop();
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  pid_t pid = fork();
  if (pid < 0 && told >= 0) {
    uint8_t words[2] = {0, (uint8_t)errno};
    (void)!write(told, words, sizeof words);
    _exit(1);
  }
  if (pid < 0) return give_result(env, -1);
  if (pid > 0) be_init(pid);
  has_init = true;
  pages_begin();
  touch_pages();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  let_signals_in();
  return give_int32(env, 0);
}

/* enter_actor() -> 0 or -errno: descriptors from 4 on are closed again, SIGPIPE is ignored, and the event
 * loop gets descriptors of its own. */
napi_value sys_enter_actor(napi_env env, napi_callback_info info) {
  uv_loop_t *loop;
  (void)info;
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing users undoes it */
  if (!has_init && getppid() != supervisor) return give_int32(env, -ECHILD);
  transfers_stop();
  if (maps_fd >= 0) close(maps_fd);
  maps_fd = -1;
  int result = close_others(NULL, 0);
  if (result < 0) return give_int32(env, result);
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return give_int32(env, -EINVAL);
  result = uv_loop_fork(loop);
  if (result == 0 && role == ACTOR) give_back_later(loop);
  return give_int32(env, result);
}

/* set_environment(list: Uint8Array, length) -> 0 or -errno: all variables, each as NAME=value and a NUL.
 * The memory is kept. */
napi_value sys_set_environment(napi_env env, napi_callback_info info) {
  int32_t length;
  uint8_t *bytes;
  if (!take_bytes_alone(env, info, &bytes, &length)) return NULL;
  char *copy = malloc((size_t)length + 1);
  if (!copy) return give_int32(env, -ENOMEM);
  memcpy(copy, bytes, (size_t)length);
  copy[length] = 0;
  clearenv();
  static char *none[] = {NULL};
  environ = none; /* libuv reads it without asking whether it is there */
  for (char *at = copy; at < copy + length; at += strlen(at) + 1)
    if (putenv(at) != 0) return give_result(env, -1);
  return give_int32(env, 0);
}

/* exit_now(code): _exit(2). Threads that a fork has left behind can't be waited for. */
napi_value sys_exit_now(napi_env env, napi_callback_info info) {
  int32_t code;
  if (!take_int32s(env, info, &code, 1)) return NULL;
  _exit(code & 0xff);
}

/* getpid() -> pid.  getpid(2) */
napi_value sys_getpid(napi_env env, napi_callback_info info) {
  (void)info;
  return give_int32(env, getpid());
}

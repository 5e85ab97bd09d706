/* A process without Node that runs filters, for test/sandbox/filter.test.ts:
 *
 *   filter-program run      stdin: u32 size, source, u32 size, arguments, and so on
 *                           stdout: i32 result, u32 size, results or message (for each)
 *   filter-program NAME     one of the cases below; prints "ok", or what went wrong
 *
 * `real` gives its arguments back, unless the first is one of the texts that it knows. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"

static unsigned char values[1 << 20];

static bool is_asked(const unsigned char *arguments, size_t size, const char *text) {
  return size >= 5 + strlen(text) && arguments[0] == 's' && memcmp(arguments + 5, text, strlen(text)) == 0;
}

static int nested_real(void *context, const unsigned char *arguments, size_t size, unsigned char *results,
                       size_t capacity) {
  (void)context, (void)arguments, (void)size, (void)capacity;
  results[0] = 't';
  return 1;
}

static int put_text(unsigned char *results, const char *text) {
  uint32_t length = (uint32_t)strlen(text);
  results[0] = 's';
  memcpy(results + 1, &length, 4);
  memcpy(results + 5, text, length);
  return (int)length + 5;
}

static int real(void *context, const unsigned char *arguments, size_t size, unsigned char *results, size_t capacity) {
  (void)context;
  if (is_asked(arguments, size, "fail")) return -EIO;
  if (is_asked(arguments, size, "too much")) return (int)capacity + 1;
  if (is_asked(arguments, size, "nothing")) return 0;
  if (is_asked(arguments, size, "garbage")) {
    size_t length = size - 5 - 7;
    memcpy(results, arguments + 5 + 7, length);
    return (int)length;
  }
  if (is_asked(arguments, size, "nested")) {
    char message[100] = "";
    unsigned char out[16];
    int result = filter_run("=inner", "return true", 11, NULL, 0, nested_real, NULL, out, sizeof out, message,
                            sizeof message);
    return put_text(results, result < 0 ? message : "it ran");
  }
  if (is_asked(arguments, size, "stack")) { /* more than the stack of a filter has */
    volatile char room[400 * 1024];
    for (size_t i = 0; i < sizeof room; i += 4096) room[i] = 1;
    results[0] = room[0] == 1 ? 't' : 'f';
    return 1;
  }
  if (size > capacity) return -EMSGSIZE;
  memcpy(results, arguments, size);
  return (int)size;
}

/* -> its result; on success the values are in `values` */
static int run_with(const char *source, filter_real function, void *context, char *message, size_t room) {
  static _Thread_local unsigned char out[4096];
  return filter_run("=test", source, strlen(source), NULL, 0, function, context, out, sizeof out, message, room);
}
static bool works(const char *source) {
  char message[200] = "";
  int result = run_with(source, real, NULL, message, sizeof message);
  if (result < 0) printf("%s: %s\n", source, message);
  return result >= 0;
}

static bool read_all(void *bytes, size_t size) { return fread(bytes, 1, size, stdin) == size; }

static void run_all(void) {
  static char source[1 << 22];
  static unsigned char arguments[1 << 22];
  static char message[400];
  uint32_t length, size;
  while (read_all(&length, 4)) {
    if (length > sizeof source || !read_all(source, length) || !read_all(&size, 4) || size > sizeof arguments ||
        !read_all(arguments, size))
      exit(3);
    errno = 12345;
    int32_t result =
        filter_run("=test", source, length, arguments, size, real, NULL, values, sizeof values, message, sizeof message);
    if (errno != 12345) exit(4);
    uint32_t out = result < 0 ? (uint32_t)strlen(message) : (uint32_t)result;
    fwrite(&result, 4, 1, stdout);
    fwrite(&out, 4, 1, stdout);
    fwrite(result < 0 ? (void *)message : values, 1, out, stdout);
  }
}

/* ---- threads ---- */

static void *run_many(void *argument) {
  char source[200];
  for (int i = 0; i < 200; i++) {
    int number = (int)(intptr_t)argument * 1000 + i;
    snprintf(source, sizeof source, "assert(x == nil) x = %d local t = {} for i = 1, 50 do t[i] = x .. '' end assert((...)(x) == %d)",
             number, number);
    if (!works(source)) return (void *)1;
  }
  return NULL;
}

static bool threads(void) {
  pthread_t ids[8];
  bool ok = true;
  for (intptr_t i = 0; i < 8; i++) pthread_create(&ids[i], NULL, run_many, (void *)i);
  for (int i = 0; i < 8; i++) {
    void *failed;
    pthread_join(ids[i], &failed);
    ok = ok && !failed;
  }
  return ok;
}

/* A thread with as small a stack as there is: recursion, errors and patterns that need all of a filter's. */
static void *run_deep(void *failed) {
  *(bool *)failed =
      !works("local function f(n) return n == 0 and 0 or 1 + f(n - 1) end assert(f(1000) == 1000)") ||
      !works("local function f() return 1 + f() end local ok, why = pcall(f) assert(not ok and (why:find 'stack overflow' or why == 'not enough memory'), why)") ||
      !works("local s = ('x'):rep(50) local function f(n) return n == 0 and s or s:gsub('.', function(c) return f(n - 1) end, 1) end "
             "assert(#f(100) > 0)");
  return NULL;
}
static bool small_stack(void) {
  pthread_attr_t attributes;
  pthread_t id;
  bool failed = false;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN) + 8192);
  if (pthread_create(&id, &attributes, run_deep, &failed) != 0) return false;
  pthread_join(id, NULL);
  return !failed;
}

/* ---- fork ---- */

static int gate[2], reached[2];

static int wait_at_gate(void *context, const unsigned char *arguments, size_t size, unsigned char *results,
                        size_t capacity) {
  char byte;
  (void)context, (void)arguments, (void)size, (void)capacity;
  write(reached[1], "", 1);
  if (read(gate[0], &byte, 1) != 1) return -EIO;
  results[0] = 't';
  return 1;
}
static void *run_slowly(void *failed) {
  char message[100] = "";
  *(bool *)failed = run_with("return (...)()", wait_at_gate, NULL, message, sizeof message) != 1;
  return NULL;
}
/* While a filter runs, in `real` and in Lua, another thread forks: filters run in the child. */
static bool forks(void) {
  pthread_t id;
  bool failed = true;
  char byte;
  int status;
  if (pipe(gate) < 0 || pipe(reached) < 0) return false;
  pthread_create(&id, NULL, run_slowly, &failed);
  read(reached[0], &byte, 1);
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      _exit(works("return 1") && works("return 2") ? 0 : 1);
    }
    if (waitpid(child, &status, 0) < 0 || status != 0 || !works("return 3")) return false;
  }
  write(gate[1], "", 1);
  pthread_join(id, NULL);
  return !failed;
}

/* From `real`, on the same thread: the child goes on with the filter. */
static int fork_real(void *context, const unsigned char *arguments, size_t size, unsigned char *results, size_t capacity) {
  (void)arguments, (void)size, (void)capacity;
  *(pid_t *)context = fork();
  results[0] = 't';
  return 1;
}
static bool forks_in_real(void) {
  pid_t child = -1;
  int status;
  char message[100] = "";
  int result = run_with("assert((...)()) return 1", fork_real, &child, message, sizeof message);
  if (child == 0) _exit(result == 9 && works("return 2") ? 0 : 1);
  return result == 9 && waitpid(child, &status, 0) == child && status == 0 && works("return 3");
}

/* ---- signals ---- */

static volatile sig_atomic_t handled, broken;

static void handle(int number) {
  char message[100] = "";
  (void)number;
  int result = run_with("local t = {} for i = 1, 20 do t[i] = {} end return 7", real, NULL, message, sizeof message);
  handled++;
  if (result != 9) broken++;
}
static void tick(int microseconds) {
  struct itimerval often = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &often, NULL);
}
/* Handlers run filters while one runs, on the thread's stack and on an alternate one. */
static bool signals_with(int flags) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
  handled = broken = 0;
  sigaction(SIGALRM, &action, NULL);
  tick(1000);
  for (int i = 0; handled < 50 && i < 100000; i++)
    if (!works("local s = 0 for i = 1, 20000 do s = s + #tostring(i) end return s")) return false;
  tick(0);
  if (broken > 0 || handled < 50) printf("%d of %d filters of handlers failed\n", (int)broken, (int)handled);
  return broken == 0 && handled >= 50;
}
static bool signals(void) {
  static char room[65536];
  stack_t alternate = {.ss_sp = room, .ss_size = sizeof room};
  sigaltstack(&alternate, NULL);
  return signals_with(0) && signals_with(SA_RESTART) && signals_with(SA_ONSTACK);
}

static sigjmp_buf away;
static void leave(int number) {
  (void)number;
  siglongjmp(away, 1);
}
static int sleep_real(void *context, const unsigned char *arguments, size_t size, unsigned char *results, size_t capacity) {
  (void)context, (void)arguments, (void)size, (void)results, (void)capacity;
  for (;;) pause();
  return 0;
}
static size_t mapped(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%zu", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages;
}
/* A handler that doesn't return leaves a filter that loops, or one that waits in `real`. The next one runs, and nothing is
 * lost but a little memory. */
static bool jumps(void) {
  struct sigaction action = {.sa_handler = leave};
  sigaction(SIGALRM, &action, NULL);
  static volatile size_t before;
  static volatile int i;
  for (i = 0; i < 40; i++) {
    if (sigsetjmp(away, 1) == 0) {
      char message[100];
      struct itimerval once = {{0, 0}, {0, 3000}};
      setitimer(ITIMER_REAL, &once, NULL);
      run_with(i % 2 ? "while true do end" : "(...)()", sleep_real, NULL, message, sizeof message);
      return false;
    }
    if (!works("return 1")) return false;
    if (i == 9) before = mapped();
  }
  return mapped() <= before + 512;
}

/* ---- what is left behind ---- */

static bool is_in_memory(const unsigned char *bytes, size_t size) {
  static char line[300];
  FILE *maps = fopen("/proc/self/maps", "r");
  size_t from, to;
  bool found = false;
  while (maps && fgets(line, sizeof line, maps)) {
    char rights[8];
    if (sscanf(line, "%zx-%zx %7s", &from, &to, rights) != 3 || rights[0] != 'r' || rights[1] != 'w') continue;
    for (const unsigned char *at = (unsigned char *)from; at + size <= (unsigned char *)to; at++) {
      at = memchr(at, bytes[0] ^ 0x55, to - (size_t)at - size + 1);
      if (!at) break;
      size_t i = 0;
      while (i < size && at[i] == (bytes[i] ^ 0x55)) i++;
      if (i == size) found = true;
    }
  }
  if (maps) fclose(maps);
  return found;
}

static bool was_there;
static unsigned char disguised[16]; /* the secret, xor 0x55 */
static int look_real(void *context, const unsigned char *arguments, size_t size, unsigned char *results, size_t capacity) {
  (void)context, (void)arguments, (void)size, (void)results, (void)capacity;
  was_there = is_in_memory(disguised, sizeof disguised);
  return 0;
}
/* What a filter has read is gone from the memory afterwards; while it runs, it is found there. */
static bool wiped(void) {
  int ends[2];
  char source[300], message[100] = "";
  if (pipe(ends) < 0) return false;
  FILE *dice = fopen("/dev/urandom", "r");
  if (!dice || fread(disguised, 1, sizeof disguised, dice) != sizeof disguised) return false;
  fclose(dice);
  for (size_t i = 0; i < sizeof disguised; i++) {
    unsigned char byte = disguised[i] ^ 0x55;
    write(ends[1], &byte, 1);
  }
  snprintf(source, sizeof source,
           "local secret = C.read(%d, 16) local t = {secret .. 'x', 'y' .. secret, (secret:gsub('.', '%%0%%0'))} (...)() return #t[1]", ends[0]);
  if (run_with(source, look_real, NULL, message, sizeof message) < 0) {
    puts(message);
    return false;
  }
  bool remains = is_in_memory(disguised, sizeof disguised);
  if (!was_there || remains) printf("while it ran: %d, afterwards: %d\n", was_there, remains);
  return was_there && !remains;
}

static int count_fds(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}
static bool descriptors(void) {
  int before = count_fds();
  char message[200];
  if (!works("io.open('/dev/null') io.tmpfile() io.popen('true') return 1")) return false;
  if (run_with("local f = io.open('/dev/null') error 'x'", real, NULL, message, sizeof message) != -1) return false;
  if (run_with("local f = io.open('/dev/null') return f", real, NULL, message, sizeof message) != -1) return false;
  return count_fds() == before;
}

/* Memory that can't be had is a message. */
static bool no_memory(void) {
  char message[100] = "";
  while (mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) return false;
  pid_t child = fork();
  if (child == 0) {
    for (size_t size = (size_t)1 << 46; size >= 1 << 19; size /= 2)
      while (mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED) continue;
    int result = run_with("return 1", real, NULL, message, sizeof message);
    _exit(result == -1 && strcmp(message, "not enough memory") == 0 ? 0 : 1);
  }
  int status;
  return waitpid(child, &status, 0) == child && status == 0;
}

/* Behind a filter of system calls (seccomp(2)) the pages that were used aren't told, or can't be given back either. */
static bool deny(unsigned call) {
  struct sock_filter steps[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  struct sock_fprog program = {4, steps};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
static bool denied(void) {
  return wiped() && deny(SYS_mincore) && wiped() && works("x = 1") && works("assert(x == nil)") && deny(SYS_madvise) &&
         wiped() && works("x = 1") && works("assert(x == nil)");
}

/* A message is cut, and ends with a NUL; there may be no room for one. */
static bool messages(void) {
  char message[8];
  memset(message, 'x', sizeof message);
  if (run_with("error('a long message', 0)", real, NULL, message, 5) != -1 || strcmp(message, "a lo") != 0) return false;
  if (message[5] != 'x' || run_with("error 'x'", real, NULL, NULL, 0) != -1) return false;
  unsigned char out[8] = "xxxxxxx";
  if (filter_run("=f", "return 'too long'", 17, NULL, 0, real, NULL, out, 3, message, sizeof message) != -1) return false;
  return strcmp(message, "the res") == 0 && out[0] == 'x';
}

static void measure(void) {
  static const char *const sources[] = {"return -1", "local real, path = ... return real(path)"};
  for (int i = 0; i < 2; i++) {
    double best = 1e9;
    for (int round = 0; round < 20; round++) {
      struct timespec start, end;
      clock_gettime(CLOCK_MONOTONIC, &start);
      for (int n = 0; n < 100; n++) works(sources[i]);
      clock_gettime(CLOCK_MONOTONIC, &end);
      double each = ((double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3) / 100;
      if (each < best) best = each;
    }
    printf("%s: %.1f us\n", sources[i], best);
  }
}

static const struct {
  const char *name;
  bool (*run)(void);
} cases[] = {{"threads", threads},         {"small_stack", small_stack}, {"forks", forks},
             {"forks_in_real", forks_in_real}, {"signals", signals},     {"jumps", jumps},
             {"wiped", wiped},             {"descriptors", descriptors}, {"no_memory", no_memory},
             {"messages", messages},      {"denied", denied}};

int main(int count, char **arguments) {
  if (count != 2) return 2;
  if (strcmp(arguments[1], "run") == 0) run_all();
  if (strcmp(arguments[1], "measure") == 0) measure();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, arguments[1]) == 0) puts(cases[i].run() ? "ok" : "failed");
  return 0;
}

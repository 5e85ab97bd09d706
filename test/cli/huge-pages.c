/* Asks for memory as V8 does, from several threads: huge-pages.test.ts runs it with native/start/heap.c loaded before it.
 *   huge-pages churn|many|plain|forks */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE (256ul * 1024)
#define UNIT 4096ul
#define SLACK (PAGE - UNIT)

#define CHECK(what) ((what) ? (void)0 : (void)(fprintf(stderr, "line %d: %s\n", __LINE__, #what), abort()))

/* OS::Allocate */
static char *allocate(unsigned *seed) {
  char *hint = (char *)(((uintptr_t)rand_r(seed) << 20) & ~(PAGE - 1));
  if (hint == NULL) hint = (char *)(PAGE << 10);
  char *got = mmap(hint, PAGE + SLACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(got != MAP_FAILED);
  CHECK(madvise(got, PAGE + SLACK, MADV_DONTFORK) == 0);
  char *page = (char *)(((uintptr_t)got + PAGE - 1) & ~(PAGE - 1));
  size_t before = page - got, behind = SLACK - before;
  if (before > 0) CHECK(munmap(got, before) == 0);
  if (behind > 0) CHECK(munmap(page + PAGE, behind) == 0);
  return page;
}

static size_t resident(void) {
  size_t all, pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%zu %zu", &all, &pages) == 2);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

enum { THREADS = 4, HELD = 40, ROUNDS = 200 };

/* Pages are zero at first, and nobody else's until they are given back, in one piece or two. */
static void *churn(void *number) {
  unsigned seed = (unsigned)(uintptr_t)number;
  struct { char *page; size_t size; char mark; } held[HELD] = {0};
  for (int i = 0; i < ROUNDS; i++) {
    int at = rand_r(&seed) % HELD;
    if (held[at].page == NULL) {
      held[at].page = allocate(&seed);
      held[at].size = PAGE;
      held[at].mark = (char)(1 + rand_r(&seed) % 100);
      for (size_t o = 0; o < PAGE; o += UNIT) {
        CHECK(held[at].page[o] == 0 && held[at].page[o + UNIT - 1] == 0);
        held[at].page[o] = held[at].page[o + UNIT - 1] = held[at].mark;
      }
      continue;
    }
    for (size_t o = 0; o < held[at].size; o += UNIT) {
      CHECK(held[at].page[o] == held[at].mark && held[at].page[o + UNIT - 1] == held[at].mark);
    }
    if (held[at].size == PAGE && rand_r(&seed) % 3 == 0) {
      held[at].size = UNIT * (1 + rand_r(&seed) % 62);
      CHECK(munmap(held[at].page + held[at].size, PAGE - held[at].size) == 0);
      CHECK(mprotect(held[at].page, held[at].size, PROT_READ) == 0);
    } else {
      CHECK(munmap(held[at].page, held[at].size) == 0);
      held[at].page = NULL;
    }
  }
  for (int at = 0; at < HELD; at++) {
    if (held[at].page != NULL) CHECK(munmap(held[at].page, held[at].size) == 0);
  }
  return NULL;
}

/* Mappings of this process that ask for huge pages; -1: the kernel has no such flag. */
static int asking(void) {
  char line[4096];
  int found = 0;
  FILE *file = fopen("/proc/self/smaps", "r");
  CHECK(file != NULL);
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " hg") != NULL) found++;
  fclose(file);
  return found;
}

/* What a supervisor has, its children have too, each for itself; and nobody sees how that was asked for. */
static void forks(void) {
  enum { BEFORE = 24, LATER = 8 };
  char shown[4096], *pages[BEFORE], *own[LATER];
  CHECK(environ[0] == NULL && getenv("LD_PRELOAD") == NULL && getenv("PERILUNE_HEAP") == NULL);
  FILE *file = fopen("/proc/self/environ", "r");
  CHECK(file != NULL);
  size_t length = fread(shown, 1, sizeof shown, file);
  fclose(file);
  for (size_t i = 0; i < length; i++) CHECK(shown[i] == 0);

  unsigned seed = 5;
  for (int i = 0; i < BEFORE; i++) memset(pages[i] = allocate(&seed), 'a' + i, PAGE);
  printf("%d ", asking() > 0);
  CHECK(madvise(pages[0], PAGE, MADV_DOFORK) == 0);
  printf("%d\n", asking() > 0);
  for (int round = 0; round < 2; round++) {
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
      int status;
      CHECK(waitpid(pid, &status, 0) == pid && status == 0);
      continue;
    }
    for (int i = 0; i < BEFORE; i++) {
      for (size_t o = 0; o < PAGE; o += UNIT) CHECK(pages[i][o] == 'a' + i);
      pages[i][0] = 'x';
    }
    CHECK(munmap(pages[3], PAGE) == 0); /* the one that is given next is its own, and empty */
    for (int i = 0; i < LATER; i++) {
      own[i] = allocate(&seed);
      CHECK(own[i][0] == 0 && own[i][PAGE - 1] == 0);
      memset(own[i], 1, PAGE);
    }
    CHECK(own[0] == pages[3] && asking() == 0);
    /* A child of its own has all of it. */
    pid_t next = fork();
    CHECK(next >= 0);
    if (next == 0) _exit(own[0][0] == 1 && own[LATER - 1][PAGE - 1] == 1 && pages[0][0] == 'x' ? 0 : 1);
    int status;
    CHECK(waitpid(next, &status, 0) == next && status == 0);
    _exit(0);
  }
  for (int i = 0; i < BEFORE; i++) CHECK(pages[i][0] == 'a' + i && pages[i][PAGE - 1] == 'a' + i);
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  if (strcmp(arguments[1], "churn") == 0) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(resident() < 16 << 20);
  } else if (strcmp(arguments[1], "forks") == 0) {
    forks();
  } else if (strcmp(arguments[1], "many") == 0) {
    /* More than is reserved: the last ones are the system's. */
    static char *pages[33000];
    unsigned seed = 7;
    int neighbours = 0;
    for (int i = 0; i < 33000; i++) {
      pages[i] = allocate(&seed);
      if (i > 0 && pages[i] == pages[i - 1] + PAGE) neighbours++;
    }
    pages[0][0] = pages[32999][PAGE - 1] = 1;
    for (int i = 0; i < 33000; i++) CHECK(munmap(pages[i], PAGE) == 0);
    printf("%s\n", neighbours > 32000 ? "neighbours" : "apart");
  } else {
    /* What is asked for in another way is the system's: all of it can be used, and goes when it is given back. */
    size_t size = PAGE + SLACK;
    char *a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *b = mmap((void *)(PAGE << 12), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(a != MAP_FAILED && b != MAP_FAILED);
    memset(a, 1, size);
    CHECK(munmap(a, size) == 0 && munmap(b, size) == 0);
    unsigned char in_memory[2 * PAGE / UNIT];
    CHECK(mincore(a, size, in_memory) == -1);
    /* A large object begins where a huge page can, and is as large as it was to be. */
    size_t large = (5ul << 20) + SLACK;
    char *c = mmap((void *)((PAGE << 12) + PAGE), large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(c != MAP_FAILED && (uintptr_t)c % (2 << 20) == 0);
    memset(c, 1, large);
    CHECK(munmap(c, large) == 0);
    CHECK(mincore(c, UNIT, in_memory) == -1);
  }
  puts("done");
  return 0;
}

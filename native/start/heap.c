/* Memory for V8's heap in huge pages. bin/perilune has the dynamic linker load it before Node: docs/decisions/0028-huge-pages.md
 * So does a supervisor of processes, docs/decisions/0033-memory-of-supervisors.md: see `is_for_forks`.
 *
 * V8 asks mmap(2) for each of its pages of 256 KB at an address of its own, where no two of them are neighbours, so that the
 * kernel can only give it memory by 4 KB: a page fault for each. Here pages are neighbours: blocks of 2 MB, for which the kernel
 * is asked for huge pages, hold eight. All else that V8 asks for is passed on.
 *
 * How V8 asks (OS::Allocate): for so much more than it wants that an aligned page must be in it, near an aligned address. It then
 * gives back what lies before and behind that page. What we give is aligned: nothing lies before it, and what lies behind it,
 * which may be another page, is never given. So the next munmap of the same thread, of just that, does nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FILE_OFFSET_BITS /* mmap would be another name of mmap64 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap.h"

enum {
  PAGE = HEAP_PAGE,
  BLOCK = HEAP_BLOCK,
  PAGES_OF_BLOCK = BLOCK / PAGE,
  UNIT = 4096, /* what munmap counts in: pages of the system, that are never smaller */
  BLOCKS = HEAP_BLOCKS,
};
/* By bin/perilune: malloc grows by huge pages, and all threads have the one heap that does (docs/decisions/0054-what-compilers-touch.md). */
#define MALLOC_TUNABLES "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"
#define RESERVED ((size_t)BLOCKS * BLOCK) /* 8 GB of addresses; V8 has at most 4 GB of heap by default */

static char *reserved; /* NULL: all is passed on */

/* This process forks (PERILUNE_HEAP=forks): all that it has is for its children, too. What it has in huge pages until it
 * says that forks begin, by MADV_DOFORK, stays so: one entry for 2 MB in the tables that a fork copies. A child that
 * writes to one gets a copy of 4 KB. Nothing new is to be in huge pages from then on: a child would have 2 MB of its
 * own where it needs 256 KB. */
static bool is_for_forks;
static bool asks = true; /* for huge pages */

struct perilune_heap perilune_heap;

static size_t slack;   /* what V8 asks for beyond a page */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t blocks;                       /* so many have been used */
static size_t first_free;                   /* no block before it has a page to give */
static uint8_t taken[BLOCKS];               /* a bit a page */
static uint8_t left[BLOCKS][PAGES_OF_BLOCK]; /* units that a taken page still has */
static __thread char *behind __attribute__((tls_model("initial-exec")));               /* the end of the page that this thread got last */

/* The functions below take the place of the C library's: these are the system calls themselves. */
static void *system_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}
static int system_munmap(void *at, size_t size) { return (int)syscall(SYS_munmap, at, size); }
static int system_mprotect(void *at, size_t size, int protection) {
  return (int)syscall(SYS_mprotect, at, size, protection);
}
static int system_madvise(void *at, size_t size, int advice) {
  return (int)syscall(SYS_madvise, at, size, advice);
}

static bool is_ours(const void *at) {
  return reserved != NULL && (const char *)at >= reserved && (const char *)at < reserved + RESERVED;
}

/* Where there is nothing in the environment but what we were started with: proc(5) is not to show it either. */
static void wipe_environment(void) {
  for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
    memset(*variable, 0, strlen(*variable));
  if (environ != NULL) environ[0] = NULL;
}

/* What a variable begins with; what it lists beyond that stays. */
static void drop_front(const char *variable, size_t length) {
  const char *rest = getenv(variable) + length;
  if (*rest == '\0') {
    unsetenv(variable);
    return;
  }
  char *copy = strdup(rest + 1);
  if (copy == NULL) return;
  setenv(variable, copy, 1);
  free(copy);
}

/* Nobody whom this process starts is to have it: these are as they were before bin/perilune put something at their front. */
static void leave_environment(void) {
  const char *kind = getenv("PERILUNE_HEAP");
  is_for_forks = kind != NULL && strcmp(kind, "forks") == 0;
  if (is_for_forks) {
    wipe_environment();
    return;
  }
  const char *preload = getenv("LD_PRELOAD");
  if (preload != NULL) drop_front("LD_PRELOAD", strcspn(preload, ":"));
  const char *tunables = getenv("GLIBC_TUNABLES");
  size_t ours = strlen(MALLOC_TUNABLES);
  bool are_ours = tunables != NULL && strncmp(tunables, MALLOC_TUNABLES, ours) == 0;
  if (are_ours && (tunables[ours] == ':' || tunables[ours] == '\0')) drop_front("GLIBC_TUNABLES", ours);
}

__attribute__((constructor)) static void begin(void) {
  leave_environment();
  if (sysconf(_SC_PAGESIZE) != UNIT) return;
  slack = PAGE - UNIT;
  /* Where addresses are limited (ulimit -v) Node needs them more. */
  char *got = system_mmap(NULL, RESERVED + BLOCK, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return;
  reserved = (char *)(((uintptr_t)got + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1));
  perilune_heap.start = reserved;
  perilune_heap.wants_huge_pages = true;
}

static void ask_for_huge_pages(char *at, size_t size) {
  if (asks) system_madvise(at, size, MADV_HUGEPAGE); /* EINVAL: a kernel that has none */
}

/* Another block. V8 wants none of its pages in a process that is forked, and would say so of each: the block would fall apart
 * into mappings that are too small for huge pages. */
static bool add_block(void) {
  if (blocks == BLOCKS) return false;
  char *block = reserved + blocks * BLOCK;
  if (system_mprotect(block, BLOCK, PROT_READ | PROT_WRITE) != 0) return false;
  if (!is_for_forks) system_madvise(block, BLOCK, MADV_DONTFORK);
  ask_for_huge_pages(block, BLOCK);
  blocks++;
  return true;
}

/* A page, the first that is free: what is used stays dense. @return NULL: there is none */
static char *take_page(void) {
  char *page = NULL;
  pthread_mutex_lock(&lock);
  while (first_free < blocks && taken[first_free] == 0xff) first_free++;
  if (first_free < blocks || add_block()) {
    int at = __builtin_ctz(~(unsigned)taken[first_free]);
    taken[first_free] |= 1U << at;
    left[first_free][at] = PAGE / UNIT;
    page = reserved + first_free * BLOCK + (size_t)at * PAGE;
  }
  pthread_mutex_unlock(&lock);
  return page;
}

static bool has_forked(void) { return is_for_forks && !asks; }

static void note_renewed(const char *from, size_t size) {
  if (!has_forked()) return;
  for (size_t at = (size_t)(from - reserved) / PAGE; at <= (size_t)(from + size - 1 - reserved) / PAGE && at < BLOCKS * PAGES_OF_BLOCK; at++)
    __atomic_fetch_or(&perilune_heap.renewed[at / PAGES_OF_BLOCK], 1U << at % PAGES_OF_BLOCK, __ATOMIC_RELAXED);
}

/* All zeros again. What is of a file (native/pages.c) would be as in that file. */
static void empty(char *from, size_t size) {
  if (!has_forked())
    system_madvise(from, size, MADV_DONTNEED);
  else if (system_mmap(from, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
    memset(from, 0, size);
}

/* Give back a part of a page, or all of it. V8 shortens those that nothing is written to any more.
 * The memory goes at once; of a block of which nothing is left, all of it, as one huge page. */
static void give_back(char *from, size_t size) {
  size_t block = (size_t)(from - reserved) / BLOCK;
  size_t at = (size_t)(from - reserved) % BLOCK / PAGE;
  system_mprotect(from, size, PROT_READ | PROT_WRITE); /* it may have been made constant */
  note_renewed(from, size);
  pthread_mutex_lock(&lock);
  left[block][at] -= size / UNIT;
  if (left[block][at] == 0) {
    taken[block] &= ~(1U << at);
    if (block < first_free) first_free = block;
  }
  char *begin_of_block = reserved + block * BLOCK;
  if (taken[block] == 0) {
    empty(begin_of_block, BLOCK);
    ask_for_huge_pages(begin_of_block, BLOCK);
  } else {
    empty(from, size);
    system_madvise(begin_of_block, BLOCK, MADV_NOHUGEPAGE); /* khugepaged would fill the hole */
  }
  pthread_mutex_unlock(&lock);
}

static bool wants_heap(const void *at, int protection, int flags, int fd) {
  return reserved != NULL && at != NULL && (uintptr_t)at % PAGE == 0 && fd == -1 &&
         protection == (PROT_READ | PROT_WRITE) && flags == (MAP_PRIVATE | MAP_ANONYMOUS);
}

/* Each place that V8 has drawn by lot has three tables of pages of its own, which each fork copies and each end takes down:
 * where the kernel puts what it may put anywhere, which it draws once for a process, that has neighbours. */
static void *place_for_forks(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  bool is_free = fd == -1 && (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0;
  return system_mmap(is_free ? NULL : at, size, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  bool is_heap = wants_heap(at, protection, flags, fd);
  if (is_heap && size == PAGE + slack) {
    char *page = take_page();
    if (page != NULL) {
      behind = page + PAGE;
      return page;
    }
  }
  if ((flags & MAP_FIXED) && is_ours(at)) note_renewed(at, size);
  if (is_for_forks) return place_for_forks(at, size, protection, flags, fd, offset);
  if (!is_heap || size < BLOCK + slack) return system_mmap(at, size, protection, flags, fd, offset);
  /* A large object: it begins where a huge page can. */
  at = (void *)((uintptr_t)at & ~(uintptr_t)(BLOCK - 1));
  void *got = system_mmap(at, size, protection, flags, fd, offset);
  if (got != MAP_FAILED) system_madvise(got, size, MADV_HUGEPAGE);
  return got;
}
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("mmap64")));

int munmap(void *at, size_t size) {
  char *from = at;
  if (from == behind && size == slack && from != NULL) {
    behind = NULL;
    return 0;
  }
  if (!is_ours(at)) return system_munmap(at, size);
  for (char *end = from + size; from < end;) {
    size_t in_page = PAGE - (size_t)(from - reserved) % PAGE;
    size_t part = (size_t)(end - from) < in_page ? (size_t)(end - from) : in_page;
    give_back(from, part);
    from += part;
  }
  return 0;
}

int mprotect(void *at, size_t size, int protection) {
  if (!(protection & PROT_READ) && is_ours(at) && size > 0) note_renewed(at, size);
  return system_mprotect(at, size, protection);
}

/* Whatever begins a thread here: the C library itself has no need of one. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  static int (*_Atomic next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  perilune_heap.has_threads = true;
  if (next == NULL) next = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
  return next(thread, attributes, run, argument);
}

int madvise(void *at, size_t size, int advice) {
  if (advice == MADV_DONTFORK && is_ours(at)) return 0; /* it is all so, or for forks */
  if (advice == MADV_DOFORK && is_for_forks && asks) {
    asks = false;
    system_madvise(reserved, blocks * BLOCK, MADV_NOHUGEPAGE); /* what is there stays */
  }
  /* What is thrown away may be zeros afterwards, or what it was, but not what a file has. */
  if ((advice == MADV_DONTNEED || advice == MADV_FREE) && has_forked() && is_ours(at) && (uintptr_t)at % UNIT == 0 && size > 0) {
    note_renewed(at, size);
    empty(at, size);
    return 0;
  }
  return system_madvise(at, size, advice);
}

/* Pages of a process that are as its supervisor's are given back: docs/decisions/0048-pages-given-back.md
 *
 * A page that a process has got a copy of, since it wrote to it, or was to, and has since made it what it was before, can't be
 * shared again: the kernel has forgotten whose copy it is. What is a private mapping of a file can: without a copy of its own it has
 * the file's page. So the supervisor puts what its children will write to in a file in memory, which takes the place of that memory:
 * V8's heap and malloc's. Nobody can write to the file, nor open it. The supervisor keeps what these pages are in it,
 * and its children have that from it, to compare theirs with.
 *
 * What is written between a comparison and the giving back would be lost. So it is only done where nobody else can write: this
 * process has no other thread, no ring through which the kernel writes when it likes, and this thread takes no
 * signals meanwhile. And a page that is no longer the file's would be empty afterwards: V8's heap says which these are
 * (native/start/heap.c), and malloc's doesn't end before `heap_end`. */
#include "pages.h"

#include "util.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "start/heap.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* since Linux 5.14 */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* since Linux 5.1 */
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3, where vm.memfd_noexec = 2 lets nobody do without */
#endif

enum { PAGE = 4096, HUGE = 2 * 1024 * 1024, MAX_FILE = 128 * 1024 * 1024, MAX_PAGES = 2048, MAX_PARTS = 64, AT_ONCE = 512, ROOM = 64 * 1024 };

static struct perilune_heap *heap;   /* NULL: it isn't there */
static uintptr_t shared[MAX_PAGES];  /* pages to compare: those of each kind, in order, end where `ends` says */
static int ends[PAGES_MAYBE + 1];
static const char *as_was;           /* what they are in the file, one after the other */
static const char *file;             /* all of it, until the pages are known */
static size_t file_size;

/* The pages of the first kind, for processes that were forked before these were known: they see it in memory that only
 * the supervisor can write to. */
static struct list {
  _Atomic int count;
  uintptr_t pages[PAGE / sizeof(uintptr_t) - 1];
} *told, *list; /* the supervisor's, which no child has; and a child's */

/* Where the file's memory is. All of its pages that are in memory are in the file. */
static struct part {
  uintptr_t start, end;
  off_t offset; /* in the file */
} parts[MAX_PARTS];
static int part_count;

static int in_order(const void *a, const void *b) {
  uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
  return x < y ? -1 : x > y;
}

/* Of V8's heap and malloc's. @return  the file's size: in it a huge page can be where one is in memory */
static off_t find_parts(uintptr_t heap_end) {
  FILE *maps = fopen("/proc/self/maps", "re");
  uintptr_t v8 = (uintptr_t)heap->start;
  off_t end = 0;
  char line[PATH_MAX + 128], rights[5];
  while (maps && part_count < MAX_PARTS && fgets(line, sizeof line, maps)) {
    unsigned long start, stop, inode;
    int name = 0;
    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %n", &start, &stop, rights, &inode, &name) < 4) continue;
    if (inode != 0 || strcmp(rights, "rw-p") != 0) continue;
    bool is_v8 = v8 <= start && stop <= v8 + (uintptr_t)HEAP_BLOCKS * HEAP_BLOCK;
    if (strncmp(line + name, "[heap]", 6) == 0) {
      if (stop > heap_end) stop = heap_end;
    } else if (!is_v8)
      continue;
    if (start >= stop) continue;
    parts[part_count++] = (struct part){start, stop, end + (off_t)(start % HUGE)};
    end = (off_t)((parts[part_count - 1].offset + stop - start + HUGE - 1) & -(uintptr_t)HUGE);
  }
  if (maps) fclose(maps);
  return end;
}

static const struct part *part_of(uintptr_t page) {
  for (const struct part *part = parts; part < parts + part_count; part++)
    if (part->start <= page && page < part->end) return part;
  return NULL;
}

/* From one file to another, through `room` of ROOM bytes. */
static bool copy_bytes(int from, off_t at, int to, off_t to_at, size_t size, char *room) {
  while (size > 0) {
    ssize_t got = pread(from, room, size < ROOM ? size : ROOM, at);
    if (got > 0) got = pwrite(to, room, (size_t)got, to_at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    to_at += got;
    size -= (size_t)got;
  }
  return true;
}

/* What of it is in memory: the rest is zeros there and here. It is read as a file, since a machine that is a virtual one may have
 * no table yet by which the kernel finds a page of ours. */
static bool write_part(const struct part *part, int pagemap, int mem, int fd, char *room) {
  static uint64_t entries[AT_ONCE];
  const uint64_t there = 3ull << 62; /* in memory, or swapped. proc_pid_pagemap(5) */
  for (uintptr_t at = part->start; at < part->end; at += AT_ONCE * PAGE) {
    size_t count = (part->end - at) / PAGE < AT_ONCE ? (part->end - at) / PAGE : AT_ONCE;
    ssize_t size = (ssize_t)(count * sizeof *entries);
    if (pread(pagemap, entries, (size_t)size, (off_t)(at / PAGE * sizeof *entries)) != size) return false;
    for (size_t i = 0, end; i < count; i = end) {
      for (end = i + 1; end < count && !(entries[i] & there) == !(entries[end] & there);) end++;
      if (!(entries[i] & there)) continue;
      uintptr_t from = at + i * PAGE;
      if (!copy_bytes(mem, (off_t)from, fd, part->offset + (off_t)(from - part->start), (end - i) * PAGE, room)) return false;
    }
  }
  return true;
}

int new_memfd(void) {
  int fd = memfd_create("perilune", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  return fd < 0 && errno == EINVAL ? memfd_create("perilune", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static int new_file(off_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < (rlim_t)size) return -1; /* a signal would end us */
  int fd = new_memfd();
  if (fd >= 0 && ftruncate(fd, size) < 0) {
    close(fd);
    fd = -1;
  }
  return fd;
}

/* Address space, from where on a huge page can be. */
static char *take_room(size_t size) {
  char *room = mmap(NULL, size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return NULL;
  char *start = (char *)(((uintptr_t)room + HUGE - 1) & -(uintptr_t)HUGE);
  if (start > room) munmap(room, (size_t)(start - room));
  munmap(start + size, (size_t)(room + HUGE - start));
  return start;
}

/* Look at all that is in memory of a mapping of the file, and nothing else: that would make a page for it. */
static void look_at(char *start, size_t size) {
  static unsigned char is_there[AT_ONCE];
  for (size_t at = 0; at < size; at += AT_ONCE * PAGE) {
    size_t count = (size - at < AT_ONCE * PAGE ? size - at : AT_ONCE * PAGE) / PAGE;
    if (mincore(start + at, count * PAGE, is_there) < 0) continue;
    for (size_t i = 0, end; i < count; i = end) {
      for (end = i + 1; end < count && (is_there[i] & 1) == (is_there[end] & 1);) end++;
      if (is_there[i] & 1) madvise(start + at + i * PAGE, (end - i) * PAGE, MADV_POPULATE_READ); /* EINVAL: each fork looks */
    }
  }
}

/* Memory of the file takes the place of a part, at once. */
static bool replace(const struct part *part, int fd) {
  size_t size = part->end - part->start;
  char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, part->offset);
  if (copy == MAP_FAILED) return false;
  /* A fork copies the entries of a mapping that has a page of its own. Those of others each child would look up. */
  *(volatile char *)copy = *(volatile char *)copy;
  look_at(copy, size);
  if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)part->start) != MAP_FAILED) return true;
  munmap(copy, size);
  return false;
}

static size_t copy_size(void) { return ((size_t)ends[PAGES_MAYBE] * PAGE + HUGE - 1) & -(size_t)HUGE; }

static const char *in_file(uintptr_t page) {
  const struct part *part = part_of(page);
  return part ? file + part->offset + (page - part->start) : NULL;
}

/* Of the file: the supervisor may have written to its own meanwhile. In huge pages, if there are any: their entries are few. */
static char *copy_shared(void) {
  size_t size = copy_size();
  char *copy = take_room(size);
  if (!copy || mprotect(copy, size, PROT_READ | PROT_WRITE) < 0) return NULL;
  if (heap->wants_huge_pages) madvise(copy, size, MADV_HUGEPAGE);
  for (int i = 0; i < ends[PAGES_MAYBE]; i++) memcpy(copy + (size_t)i * PAGE, in_file(shared[i]), PAGE);
  madvise(copy, size, MADV_NOHUGEPAGE);
  mprotect(copy, size, PROT_READ);
  return copy;
}

void pages_share(uintptr_t heap_end) {
  heap = dlsym(RTLD_DEFAULT, "perilune_heap");
  if (!heap || !heap->start || sysconf(_SC_PAGESIZE) != PAGE) return;
  off_t size = find_parts(heap_end);
  int fd = size > 0 ? new_file(size) : -1;
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  char *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  /* From here on nothing writes to these parts, in particular not malloc. */
  bool is_done = fd >= 0 && pagemap >= 0 && mem >= 0 && room != MAP_FAILED;
  for (int i = 0; is_done && i < part_count; i++)
    is_done = write_part(parts + i, pagemap, mem, fd, room);
  is_done = is_done && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
  for (int i = 0; is_done && i < part_count; i++) is_done = replace(parts + i, fd);
  if (is_done) file = mmap(NULL, file_size = (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (file == MAP_FAILED) file = NULL;
  if (!is_done) part_count = 0;
  if (room != MAP_FAILED) munmap(room, ROOM);
  if (mem >= 0) close(mem);
  if (pagemap >= 0) close(pagemap);
  if (fd >= 0) close(fd);
}

bool pages_is_same(uintptr_t page) {
  const char *was = file ? in_file(page) : NULL;
  return was && memcmp(was, (void *)page, PAGE) == 0;
}

static bool is_noted(uintptr_t page, enum pages_kind before) {
  for (int kind = 0, start = 0; kind < (int)before; start = ends[kind++])
    if (bsearch(&page, shared + start, (size_t)(ends[kind] - start), sizeof page, in_order)) return true;
  return false;
}

void pages_note(uintptr_t *pages, int count, enum pages_kind kind) {
  int end = kind > 0 ? ends[kind - 1] : 0;
  qsort(pages, (size_t)count, sizeof *pages, in_order);
  for (int i = 0; i < count && end < MAX_PAGES; i++) {
    bool is_again = i > 0 && pages[i] == pages[i - 1];
    if (!is_again && part_of(pages[i]) && !is_noted(pages[i], kind)) shared[end++] = pages[i];
  }
  ends[kind] = end;
}

/* The seal lets nobody write who can't already. */
void pages_open_list(void) {
  int fd = file ? new_file(PAGE) : -1;
  if (fd < 0) return;
  void *ours = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *theirs = MAP_FAILED;
  if (ours != MAP_FAILED && madvise(ours, PAGE, MADV_DONTFORK) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0)
    theirs = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (theirs != MAP_FAILED) {
    told = ours;
    list = theirs;
  } else if (ours != MAP_FAILED)
    munmap(ours, PAGE);
}

/* Who is forked from now on has no need of it. */
static void tell(void) {
  int count = ends[PAGES_SAME], most = sizeof told->pages / sizeof *told->pages;
  if (!told) return;
  if (count > most) count = most;
  memcpy(told->pages, shared, (size_t)count * sizeof *shared);
  atomic_store(&told->count, count);
  munmap(told, PAGE);
  munmap(list, PAGE);
  told = list = NULL;
}

void pages_noted(void) {
  tell();
  if (file && ends[PAGES_MAYBE] > 0) as_was = copy_shared();
  if (file) munmap((void *)file, file_size);
  file = NULL;
}

static uint8_t kept[MAX_FILE / PAGE / 8]; /* of the file, which of its pages children will look at */

static bool is_kept(off_t page) { return page >= MAX_FILE / PAGE || kept[page / 8] >> page % 8 & 1; }

void pages_keep(uintptr_t start, uint32_t count) {
  for (uintptr_t at = start; at < start + (uintptr_t)count * PAGE; at += PAGE) {
    const struct part *part = part_of(at);
    off_t page = part ? (part->offset + (off_t)(at - part->start)) / PAGE : MAX_FILE / PAGE;
    if (page < MAX_FILE / PAGE) kept[page / 8] |= (uint8_t)(1 << page % 8);
  }
}

/* proc_pid_pagemap(5): in memory, and the file's. */
static bool is_looked_at(uint64_t entry) { return entry >> 63 && entry >> 61 & 1; }

static void forget_part(const struct part *part, int pagemap) {
  uint64_t entries[AT_ONCE];
  for (uintptr_t at = part->start; at < part->end; at += AT_ONCE * PAGE) {
    size_t count = (part->end - at) / PAGE < AT_ONCE ? (part->end - at) / PAGE : AT_ONCE;
    ssize_t size = (ssize_t)(count * sizeof *entries);
    if (pread(pagemap, entries, (size_t)size, (off_t)(at / PAGE * sizeof *entries)) != size) return;
    off_t first = (part->offset + (off_t)(at - part->start)) / PAGE;
    for (size_t i = 0, end; i < count; i = end) {
      for (end = i; end < count && is_looked_at(entries[end]) && !is_kept(first + (off_t)end);) end++;
      if (end > i) syscall(SYS_madvise, at + i * PAGE, (end - i) * PAGE, MADV_DONTNEED);
      else end++;
    }
  }
}

void pages_forget(void) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  for (int i = 0; pagemap >= 0 && i < part_count; i++) forget_part(parts + i, pagemap);
  if (pagemap >= 0) close(pagemap);
}

void pages_look_one_by_one(void) {
  pages_forget();
  /* A look finds all that is near, too, but not beyond a mapping: each page becomes one by itself. */
  for (const struct part *part = parts; part < parts + part_count; part++)
    for (uintptr_t at = part->start; at < part->end; at += 2 * PAGE) syscall(SYS_madvise, at, PAGE, MADV_DONTDUMP);
}

void pages_begin(void) {
  if (heap) heap->has_threads = false;
}

static bool is_renewed(uintptr_t page) {
  uintptr_t at = page - (uintptr_t)heap->start;
  if (at >= (uintptr_t)HEAP_BLOCKS * HEAP_BLOCK) return false;
  return heap->renewed[at / HEAP_BLOCK] >> at % HEAP_BLOCK / HEAP_PAGE & 1;
}

static const char *was_at(const uintptr_t *pages, int i) {
  return as_was ? as_was + (size_t)i * PAGE : in_file(pages[i]);
}

static bool is_as_was(const uintptr_t *pages, int i) {
  return !is_renewed(pages[i]) && memcmp((void *)pages[i], was_at(pages, i), PAGE) == 0;
}

static void give_back(const uintptr_t *pages, int count) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int i = 0, end; i < count; i = end) {
    end = i + 1;
    if (!is_as_was(pages, i)) continue;
    while (end < count && pages[end] == pages[end - 1] + PAGE && is_as_was(pages, end)) end++;
    syscall(SYS_madvise, pages[i], (size_t)(end - i) * PAGE, MADV_DONTNEED); /* heap.c's madvise(2) would make new memory of it */
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool pages_give_back(enum pages_kind kind) {
  int count = list ? atomic_load(&list->count) : 0;
  if ((!as_was && !list) || heap->has_threads || uring_is_used) return true;
  if (as_was) give_back(shared, ends[kind]);
  else give_back(list->pages, count);
  return as_was || count > 0;
}

void pages_end(void) {
  if (as_was) munmap((void *)as_was, copy_size());
  if (list) munmap(list, PAGE);
  if (file) munmap((void *)file, file_size);
  as_was = file = NULL;
  list = NULL;
}

/* What heap.c, which the dynamic linker loads before Node, tells the addon, which finds it by dlsym(3): it isn't there in each process. */
#ifndef PERILUNE_HEAP_H
#define PERILUNE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

enum { HEAP_PAGE = 256 * 1024, HEAP_BLOCK = 2 * 1024 * 1024, HEAP_BLOCKS = 4096 };

struct perilune_heap {
  bool wants_huge_pages;
  bool has_threads; /* Node has, from its start on; who has just forked may say that it has none */
  char *start;      /* of HEAP_BLOCKS */
  /* A bit for each page of V8's: since forks began some of its memory has been taken down, made anew, or may not be read. It
   * isn't, or not all of it, what the process was forked with. */
  uint8_t renewed[HEAP_BLOCKS];
};

#endif

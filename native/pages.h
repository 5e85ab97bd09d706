#ifndef PERILUNE_PAGES_H
#define PERILUNE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

int new_memfd(void);

extern bool uring_is_used; /* uring.c: the kernel may write to memory of this process at any time */

/* In a supervisor, of which no other thread runs, before its first fork.
 * @param heap_end  of malloc's heap: what lies below it is never taken down */
void pages_share(uintptr_t heap_end);
/* In a child that was forked before pages_note: whether it is as in its supervisor. */
bool pages_is_same(uintptr_t page);
/* Then, when it is known what else it shares with its children. */
void pages_open_list(void);
/* What a child does to a page. */
enum pages_kind {
  PAGES_SAME,  /* it writes to it, and leaves it as it was */
  PAGES_GIVEN, /* it gets it for nothing, since most write to it */
  PAGES_MAYBE, /* it may write to it */
};
/* In a supervisor, for one kind after the other; and when that has been done. */
void pages_note(uintptr_t *pages, int count, enum pages_kind kind);
void pages_noted(void);

/* In a supervisor, once they are noted: of the file's pages it forgets where they are in memory, but for those that its children will
 * look at, so that a fork copies no entries that its child would take down again without a use. Whoever needs one of the others looks
 * it up. */
void pages_keep(uintptr_t start, uint32_t count);
void pages_forget(void);
/* In a child that is to find out which these are: it has no entries of the file's pages, and gets them one by one. */
void pages_look_one_by_one(void);

/* In a child that was just forked: it has no thread but this one. */
void pages_begin(void);
/* In a child: give back what is as it was at the fork, of pages up to this kind; of the first kind only, where it was forked
 * before pages_noted. @return  false: which these are isn't known yet */
bool pages_give_back(enum pages_kind kind);
/* It won't be asked for again. */
void pages_end(void);

#endif

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
/* In a supervisor: these pages children will write to, and leave as they were. */
void pages_note(uintptr_t *pages, int count);
/* And these they may write to, or have got for nothing. The last call. */
void pages_note_maybe(uintptr_t *pages, int count);

/* In a child that was just forked: it has no thread but this one. */
void pages_begin(void);
/* In a child: give back what is as it was at the fork. @param is_thorough  of all pages, it has the time */
void pages_give_back(bool is_thorough);
/* It won't be asked for again. */
void pages_end(void);

#endif

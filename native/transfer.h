#ifndef PERILUNE_TRANSFER_H
#define PERILUNE_TRANSFER_H

#include <stdbool.h>

/* From now on this process makes no such calls: it has a filter of system calls, which may end it for one that
 * it hasn't made before, and which those within a ring don't pass through. */
void transfers_stop(void);
bool transfers_stopped(void);

#endif

/* The calls of native/init-script/, on a linear memory. */
#ifndef PERILUNE_HOST_CALLS_H
#define PERILUNE_HOST_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_memory {
  uint8_t *bytes;
  size_t size;
};

/* A descriptor of ours that a script can't close or replace; -1: none. */
extern int host_kept_fd;

/* What the process is sent when its maker ends, whatever the script does; 0: that is its own affair. */
extern int host_death_signal;

/* From address `at` on; 0 is NULL. */
bool host_in_memory(struct host_memory memory, int64_t at, int64_t size);

/* The call of that number in init-script/host.h -> result or -errno. `at` is where the block of its arguments
 * is. Sources: the man page of the call's name. */
int32_t host_perform(struct host_memory memory, uint32_t call, uint32_t at);

#endif

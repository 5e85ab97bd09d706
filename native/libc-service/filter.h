/* Lua filters in any C process: native/init-script/'s Lua, translated to C (scripts/wasm-to-c.ts). Neither Node nor N-API is needed.
 *
 * Values, little endian, one after the other:
 *   n nil · t true · f false · i int64 · s u32 length, bytes · l u32 count, values (a list) ·
 *   m u32 count, pairs of a string value and a value (a table) */
#ifndef PERILUNE_FILTER_H
#define PERILUNE_FILTER_H

#include <stddef.h>

/* The function behind a filter. `results`: values, where there is room for `capacity` bytes.
 * -> their size, or -errno, which raises an error in the filter. Called on the thread of filter_run. */
typedef int (*filter_real)(void *context, const unsigned char *arguments, size_t size,
                           unsigned char *results, size_t capacity);

/* Run `source` (text, no bytecode) with `real` and the arguments as `...`, in a Lua state of its own with the
 * API of init.script, where errexit is false.
 * @param name  the chunk's name, as lua_load wants it: "=open"
 * -> size of the values that it returned, or -1 with a message, cut to its room and ended by a NUL: it doesn't compile, an
 *    error was raised, memory or stack ran out, values that don't fit or are of other types, or -- the same
 *    thread is in a filter already.
 * Threads run filters at the same time, each in memory of its own. errno is as before. */
int filter_run(const char *name, const char *source, size_t length, const unsigned char *arguments,
               size_t size, filter_real real, void *context, unsigned char *results, size_t capacity,
               char *message, size_t message_capacity);

#endif

/* Lua includes it; errors go another way: see config.h. */

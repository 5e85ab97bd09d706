/** What a function may have of each thing. */

/** LuaJIT's LJ_MAX_XLEVEL: how deep statements and expressions nest. */
export const MAX_LEVELS = 200;
/** LuaJIT's limit; Lua 5.1's is the same. */
export const MAX_LOCALS = 200;
/** Arguments of a call, values of a list: LuaJIT's are limited by the slots of a function. */
export const MAX_VALUES = 250;
export const MAX_UPVALUES = 60 * 4;

/* What scripts/wasm-to-c.ts has its C say: WebAssembly's operators, with its traps. Source: the WebAssembly core
 * specification, "Numerics" and "Memory Instructions". */
#ifndef PERILUNE_WASM_H
#define PERILUNE_WASM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the memory of WebAssembly is little endian"
#endif

enum wasm_trap {
  WASM_UNREACHABLE = 1,
  WASM_OUT_OF_BOUNDS,
  WASM_DIVIDE_BY_ZERO,
  WASM_OVERFLOW,
  WASM_CONVERSION,
  WASM_TABLE,
  WASM_SIGNATURE,
  WASM_STACK,
};

enum { WASM_GLOBALS = 16 };

/* An instance. Whoever makes it gives it a memory of the module's size, and the lowest address that stack frames may have. */
struct wasm {
  uint8_t *memory;
  uintptr_t stack_limit;
  union {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
  } globals[WASM_GLOBALS];
};

/* Of the host: leaves the instance, by longjmp(3) for example. */
_Noreturn void wasm_trap(struct wasm *m, enum wasm_trap why);

#ifdef WASM_MEMORY /* bytes: in the translated module, and nowhere else */

#define WASM static inline __attribute__((always_inline))
#define WASM_UNLIKELY(x) __builtin_expect(!!(x), 0)

WASM void wasm_enter(struct wasm *m) {
  if (WASM_UNLIKELY((uintptr_t)__builtin_frame_address(0) < m->stack_limit)) wasm_trap(m, WASM_STACK);
}

/* ---- memory ---- */

WASM uint8_t *wasm_at(struct wasm *m, uint32_t at, uint32_t offset, uint64_t size) {
  uint64_t start = (uint64_t)at + offset;
  if (WASM_UNLIKELY(start + size > (uint64_t)WASM_MEMORY)) wasm_trap(m, WASM_OUT_OF_BOUNDS);
  return m->memory + start;
}

#define WASM_LOAD(name, type, wide, result) \
  WASM result name(struct wasm *m, uint32_t at, uint32_t offset) { \
    type value; \
    memcpy(&value, wasm_at(m, at, offset, sizeof value), sizeof value); \
    return (result)(wide)value; \
  }
WASM_LOAD(i32_load, uint32_t, uint32_t, uint32_t)
WASM_LOAD(i64_load, uint64_t, uint64_t, uint64_t)
WASM_LOAD(f32_load, float, float, float)
WASM_LOAD(f64_load, double, double, double)
WASM_LOAD(i32_load8_s, int8_t, int32_t, uint32_t)
WASM_LOAD(i32_load8_u, uint8_t, uint32_t, uint32_t)
WASM_LOAD(i32_load16_s, int16_t, int32_t, uint32_t)
WASM_LOAD(i32_load16_u, uint16_t, uint32_t, uint32_t)
WASM_LOAD(i64_load8_s, int8_t, int64_t, uint64_t)
WASM_LOAD(i64_load8_u, uint8_t, uint64_t, uint64_t)
WASM_LOAD(i64_load16_s, int16_t, int64_t, uint64_t)
WASM_LOAD(i64_load16_u, uint16_t, uint64_t, uint64_t)
WASM_LOAD(i64_load32_s, int32_t, int64_t, uint64_t)
WASM_LOAD(i64_load32_u, uint32_t, uint64_t, uint64_t)

#define WASM_STORE(name, type, given) \
  WASM void name(struct wasm *m, uint32_t at, uint32_t offset, given wide) { \
    type value = (type)wide; \
    memcpy(wasm_at(m, at, offset, sizeof value), &value, sizeof value); \
  }
WASM_STORE(i32_store, uint32_t, uint32_t)
WASM_STORE(i64_store, uint64_t, uint64_t)
WASM_STORE(f32_store, float, float)
WASM_STORE(f64_store, double, double)
WASM_STORE(i32_store8, uint8_t, uint32_t)
WASM_STORE(i32_store16, uint16_t, uint32_t)
WASM_STORE(i64_store8, uint8_t, uint64_t)
WASM_STORE(i64_store16, uint16_t, uint64_t)
WASM_STORE(i64_store32, uint32_t, uint64_t)

WASM void memory_copy(struct wasm *m, uint32_t to, uint32_t from, uint32_t size) {
  const uint8_t *source = wasm_at(m, from, 0, size);
  memmove(wasm_at(m, to, 0, size), source, size);
}
WASM void memory_fill(struct wasm *m, uint32_t to, uint32_t byte, uint32_t size) {
  memset(wasm_at(m, to, 0, size), (int)(byte & 255), size);
}
WASM uint32_t memory_size(void) { return WASM_MEMORY / 65536; }
/* The memory has the size that is its most. */
WASM uint32_t memory_grow(uint32_t pages) { return pages == 0 ? memory_size() : ~0u; }

/* ---- tables ---- */

typedef void (*wasm_any)(void);
struct wasm_function {
  uint32_t type;
  wasm_any call;
};
WASM wasm_any wasm_function(struct wasm *m, const struct wasm_function *table, uint32_t size, uint32_t index,
                            uint32_t type) {
  if (WASM_UNLIKELY(index >= size || !table[index].call)) wasm_trap(m, WASM_TABLE);
  if (WASM_UNLIKELY(table[index].type != type)) wasm_trap(m, WASM_SIGNATURE);
  return table[index].call;
}

/* ---- integers ---- */

#define WASM_INTEGER(prefix, bits, unsigned_, signed_, builtin) \
  WASM unsigned_ prefix##_shl(unsigned_ a, unsigned_ b) { return a << (b & (bits - 1)); } \
  WASM unsigned_ prefix##_shr_u(unsigned_ a, unsigned_ b) { return a >> (b & (bits - 1)); } \
  WASM unsigned_ prefix##_shr_s(unsigned_ a, unsigned_ b) { \
    return (unsigned_)((signed_)a >> (b & (bits - 1))); \
  } \
  WASM unsigned_ prefix##_rotl(unsigned_ a, unsigned_ b) { \
    return a << (b & (bits - 1)) | a >> (-b & (bits - 1)); \
  } \
  WASM unsigned_ prefix##_rotr(unsigned_ a, unsigned_ b) { \
    return a >> (b & (bits - 1)) | a << (-b & (bits - 1)); \
  } \
  WASM unsigned_ prefix##_clz(unsigned_ a) { return a ? (unsigned_)__builtin_clz##builtin(a) : bits; } \
  WASM unsigned_ prefix##_ctz(unsigned_ a) { return a ? (unsigned_)__builtin_ctz##builtin(a) : bits; } \
  WASM unsigned_ prefix##_popcnt(unsigned_ a) { \
    unsigned_ count = 0; \
    for (; a; a &= a - 1) count++; \
    return count; \
  } \
  WASM unsigned_ prefix##_div_s(struct wasm *m, unsigned_ a, unsigned_ b) { \
    if (WASM_UNLIKELY(b == 0)) wasm_trap(m, WASM_DIVIDE_BY_ZERO); \
    if (WASM_UNLIKELY(b == (unsigned_)-1 && a == (unsigned_)1 << (bits - 1))) wasm_trap(m, WASM_OVERFLOW); \
    return (unsigned_)((signed_)a / (signed_)b); \
  } \
  WASM unsigned_ prefix##_div_u(struct wasm *m, unsigned_ a, unsigned_ b) { \
    if (WASM_UNLIKELY(b == 0)) wasm_trap(m, WASM_DIVIDE_BY_ZERO); \
    return a / b; \
  } \
  WASM unsigned_ prefix##_rem_s(struct wasm *m, unsigned_ a, unsigned_ b) { \
    if (WASM_UNLIKELY(b == 0)) wasm_trap(m, WASM_DIVIDE_BY_ZERO); \
    return b == (unsigned_)-1 ? 0 : (unsigned_)((signed_)a % (signed_)b); \
  } \
  WASM unsigned_ prefix##_rem_u(struct wasm *m, unsigned_ a, unsigned_ b) { \
    if (WASM_UNLIKELY(b == 0)) wasm_trap(m, WASM_DIVIDE_BY_ZERO); \
    return a % b; \
  }
WASM_INTEGER(i32, 32, uint32_t, int32_t, )
WASM_INTEGER(i64, 64, uint64_t, int64_t, ll)

/* ---- floating point ---- */

#define WASM_BITS(name, from, to) \
  WASM to name(from value) { \
    to bits; \
    memcpy(&bits, &value, sizeof bits); \
    return bits; \
  }
WASM_BITS(i32_reinterpret_f32, float, uint32_t)
WASM_BITS(i64_reinterpret_f64, double, uint64_t)
WASM_BITS(f32_reinterpret_i32, uint32_t, float)
WASM_BITS(f64_reinterpret_i64, uint64_t, double)

/* `whole`: from there on, numbers have no fractions. No libm: the library of a filter links nothing but libc. */
#define WASM_FLOAT(prefix, type, suffix, integer, bits, to_bits, from_bits, whole) \
  WASM type prefix##_abs(type a) { return from_bits(to_bits(a) & ~((integer)1 << (bits - 1))); } \
  WASM type prefix##_neg(type a) { return from_bits(to_bits(a) ^ (integer)1 << (bits - 1)); } \
  WASM type prefix##_copysign(type a, type b) { \
    integer sign = (integer)1 << (bits - 1); \
    return from_bits((to_bits(a) & ~sign) | (to_bits(b) & sign)); \
  } \
  WASM type prefix##_trunc(type a) { \
    return prefix##_abs(a) < whole ? prefix##_copysign((type)(int64_t)a, a) : a; \
  } \
  WASM type prefix##_floor(type a) { \
    type whole_part = prefix##_trunc(a); \
    return whole_part > a ? whole_part - 1 : whole_part; \
  } \
  WASM type prefix##_ceil(type a) { \
    type whole_part = prefix##_trunc(a); \
    return whole_part < a ? prefix##_copysign(whole_part + 1, a) : whole_part; \
  } \
  WASM type prefix##_nearest(type a) { \
    if (!(prefix##_abs(a) < whole)) return a; \
    volatile type shifted = prefix##_abs(a) + whole; \
    return prefix##_copysign(shifted - whole, a); \
  } \
  WASM type prefix##_min(type a, type b) { \
    if (a != a || b != b) return a + b; \
    if (a == b) return from_bits(to_bits(a) | to_bits(b)); /* of the zeros, the negative one */ \
    return a < b ? a : b; \
  } \
  WASM type prefix##_max(type a, type b) { \
    if (a != a || b != b) return a + b; \
    if (a == b) return from_bits(to_bits(a) & to_bits(b)); \
    return a > b ? a : b; \
  } \
  WASM type prefix##_sqrt(type a) { return __builtin_sqrt##suffix(a); } /* -fno-math-errno: an instruction */
WASM_FLOAT(f32, float, f, uint32_t, 32, i32_reinterpret_f32, f32_reinterpret_i32, 0x1p23f)
WASM_FLOAT(f64, double, , uint64_t, 64, i64_reinterpret_f64, f64_reinterpret_i64, 0x1p52)

/* A float is a double with the same value, so that both have the same limits: low < a < high, or low itself where
 * a double can't be lower by less than one. */
#define WASM_TRUNCATE(name, result, number, is_low, high, least, most) \
  WASM result name(struct wasm *m, double a) { \
    if (WASM_UNLIKELY(a != a)) wasm_trap(m, WASM_CONVERSION); \
    if (WASM_UNLIKELY((is_low) || a >= (high))) wasm_trap(m, WASM_OVERFLOW); \
    return (result)(number)a; \
  } \
  WASM result name##_sat(double a) { \
    if (a != a) return 0; \
    if (is_low) return (result)(least); \
    return a >= (high) ? (result)(most) : (result)(number)a; \
  }
WASM_TRUNCATE(i32_trunc_s, uint32_t, int32_t, a <= -0x1p31 - 1, 0x1p31, INT32_MIN, INT32_MAX)
WASM_TRUNCATE(i32_trunc_u, uint32_t, uint32_t, a <= -1.0, 0x1p32, 0, UINT32_MAX)
WASM_TRUNCATE(i64_trunc_s, uint64_t, int64_t, a < -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)
WASM_TRUNCATE(i64_trunc_u, uint64_t, uint64_t, a <= -1.0, 0x1p64, 0, UINT64_MAX)

#endif
#endif

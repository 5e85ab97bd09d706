/* The native side of init.script: the module, the calls that its Lua makes (host_calls.c), and the wiping. No byte of a
 * script's memory becomes a JavaScript value. */
#include "util.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host_calls.h"

/* The linear memory of the script that runs; the stack where it began. */
static struct {
  struct host_memory linear;
  uintptr_t stack;
} memory;

/* init_script_call(call, at) -> result or -errno: the import of native/init-script/. `at` is where the
 * block of arguments is. */
napi_value sys_init_script_call(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  return give_int32(env, host_perform(memory.linear, (uint32_t)arg[0], (uint32_t)arg[1]));
}

/* ---- before and after ---- */

/* The module, which native/init-script/build.sh made. Compilers run in build/, beside native/. */
__asm__(
    ".section .rodata\n"
    "init_script_wasm_start: .incbin \"../native/init-script/lua51.wasm\"\n"
    "init_script_wasm_end:\n"
    ".previous\n");
extern const uint8_t init_script_wasm_start[], init_script_wasm_end[];

/* init_script_module() -> ArrayBuffer: the bytes of the WebAssembly module */
napi_value sys_init_script_module(napi_env env, napi_callback_info info) {
  (void)info;
  size_t size = (size_t)(init_script_wasm_end - init_script_wasm_start);
  void *bytes;
  napi_value buffer = NULL;
  if (napi_create_arraybuffer(env, size, &bytes, &buffer) != napi_ok) return NULL;
  memcpy(bytes, init_script_wasm_start, size);
  return buffer;
}

/* init_script_begin(memory: ArrayBuffer) -> 0: the linear memory of the script that will run, from about
 * this depth of the stack on. -ENOTSUP: not in the main thread. */
napi_value sys_init_script_begin(napi_env env, napi_callback_info info) {
  napi_value args[1];
  void *bytes;
  size_t size;
  if (!take_args(env, info, args, 1)) return NULL;
  if (napi_get_arraybuffer_info(env, args[0], &bytes, &size) != napi_ok) {
    napi_throw_type_error(env, NULL, "perilune addon: an ArrayBuffer was expected");
    return NULL;
  }
  if (syscall(SYS_gettid) != getpid()) return give_int32(env, -ENOTSUP);
  memory.linear.bytes = bytes;
  memory.linear.size = size;
  memory.stack = (uintptr_t)__builtin_frame_address(0);
  return give_int32(env, 0);
}

static void end_late(int signal_number) {
  static const char text[] = "<3>ipc_actor/init/script: its time is over\n";
  (void)signal_number;
  signal(SIGPIPE, SIG_IGN);
  (void)!write(2, text, sizeof text - 1);
  _exit(1);
}

/* init_script_deadline(milliseconds) -> 0 or -errno: after that time the process ends, with a message and
 * status 1, whatever it does; 0: no longer. A handler, since PID 1 of a namespace isn't ended by a signal's
 * default; a timer that ends with execve(2).  timer_create(2), timer_settime(2) */
napi_value sys_init_script_deadline(napi_env env, napi_callback_info info) {
  static int timer = -1; /* the kernel's timer_t */
  int32_t milliseconds;
  if (!take_int32s(env, info, &milliseconds, 1)) return NULL;
  if (timer >= 0) {
    syscall(SYS_timer_delete, timer);
    timer = -1;
    signal(SIGALRM, SIG_DFL);
  }
  if (milliseconds <= 0) return give_int32(env, 0);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  struct itimerspec when = {
      .it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000l}};
  signal(SIGALRM, end_late);
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) < 0) {
    timer = -1;
    return give_result(env, -1);
  }
  return give_result(env, syscall(SYS_timer_settime, timer, 0, &when, NULL));
}

enum { CHUNK = 256 }; /* pages, of one mincore(2) */

static void zero(uintptr_t from, uintptr_t to) {
  volatile uint8_t *at = (volatile uint8_t *)from;
  while ((uintptr_t)at < to && (uintptr_t)at % 8 != 0) *at++ = 0;
  for (; (uintptr_t)at + 8 <= to; at += 8) *(volatile uint64_t *)at = 0;
  while ((uintptr_t)at < to) *at++ = 0;
}

/* Zeroes what of that memory there is, and gives whole pages back: they read as zero, and cost nothing. A page
 * that isn't resident was never used, or is in swap space, from where it is gone then. */
static void wipe(uintptr_t from, uintptr_t to) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t low = (from + page - 1) & -page, high = to & -page;
  if (low >= high) {
    zero(from, to);
    return;
  }
  zero(from, low);
  zero(high, to);
  for (uintptr_t at = low; at < high; at += CHUNK * page) {
    uintptr_t size = high - at < CHUNK * page ? high - at : CHUNK * page;
    unsigned char resident[CHUNK];
    bool known = mincore((void *)at, size, resident) == 0;
    for (uintptr_t i = 0; i < size / page; i++)
      if (!known || resident[i]) zero(at + i * page, at + (i + 1) * page);
  }
  madvise((void *)low, high - low, MADV_DONTNEED);
}

static bool is_mapped(uintptr_t at, uintptr_t page) {
  unsigned char there;
  return mincore((void *)at, page, &there) == 0 || errno != ENOMEM;
}

/* The lowest address of the stack that has ever been used: it grows by faults, so that what lies below isn't
 * mapped, for more than the longest step. Of the main thread only. */
static uintptr_t stack_bottom(uintptr_t from) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = from & -page, step = page;
  for (bool grows = true; step >= page;) {
    if (is_mapped(at - step, page)) {
      at -= step;
      if (grows && step < CHUNK / 2 * page) step *= 2;
    } else {
      grows = false;
      step /= 2;
    }
  }
  return at;
}

/* The stack from `low` to this function's frame. The bytes next to the frame are in use by the calls made here;
 * the caller calls again from another depth, for the last of them. */
__attribute__((noinline)) static void wipe_stack(uintptr_t low, size_t deeper) {
  volatile uint8_t pad[512];
  for (size_t i = 0; i < sizeof pad; i++) pad[i] = 0;
  uintptr_t high = (uintptr_t)__builtin_frame_address(0) - sizeof pad - 1024;
  if (deeper > 0) {
    wipe_stack(low, deeper - 1);
    low = high - 16384;
  }
  zero(low, high);
}

/* Vector registers: copies go through them, and a signal would put them on the stack. */
static void wipe_registers(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroall" ::: "memory");
  else
    __asm__ volatile(
        "pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n pxor %%xmm3, %%xmm3\n"
        "pxor %%xmm4, %%xmm4\n pxor %%xmm5, %%xmm5\n pxor %%xmm6, %%xmm6\n pxor %%xmm7, %%xmm7\n"
        "pxor %%xmm8, %%xmm8\n pxor %%xmm9, %%xmm9\n pxor %%xmm10, %%xmm10\n"
        "pxor %%xmm11, %%xmm11\n pxor %%xmm12, %%xmm12\n pxor %%xmm13, %%xmm13\n"
        "pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
              "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
  if (__builtin_cpu_supports("avx512f"))
    __asm__ volatile(
        ".irp r,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "vpxorq %%zmm\\r, %%zmm\\r, %%zmm\\r\n"
        ".endr\n" ::
            : "memory");
#elif defined(__aarch64__)
  __asm__ volatile(
      ".irp r,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
      "movi v\\r\\().2d, #0\n"
      ".endr\n" ::
          : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20",
            "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory");
#endif
}

/* init_script_wipe() -> 0: zeroes the linear memory, the stack below and the registers; -EINVAL when no
 * script has begun, -EFAULT when the stack isn't shallower by 4 KiB than where it began: some of what it
 * used would be missed. */
napi_value sys_init_script_wipe(napi_env env, napi_callback_info info) {
  (void)info;
  if (!memory.linear.bytes) return give_int32(env, -EINVAL);
  uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = stack_bottom(here - 65536);
  bool missed = here < memory.stack + 4096;
  wipe((uintptr_t)memory.linear.bytes, (uintptr_t)memory.linear.bytes + memory.linear.size);
  memory.linear.bytes = NULL;
  memory.linear.size = 0;
  wipe(low, here - 32768);
  wipe_stack(here - 65536, 3);
  wipe_stack(here - 65536, 0);
  wipe_registers();
  return give_int32(env, missed ? -EFAULT : 0);
}

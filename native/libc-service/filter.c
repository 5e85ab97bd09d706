/* filter.h. A filter runs in an instance: a mapping with a stack and the linear memory of Lua. One is kept for the next
 * filter, wiped; more are made when several threads are in filters. So there is no lock, which a fork(2) could leave held.
 *
 *   guard page | stack | linear memory | struct instance
 *
 * Filters have a stack of their own since that of a thread may be a few KiB, and its end isn't known. `real` runs on the
 * thread's. A trap of the translated code, and a Lua error, are a longjmp(3) within the instance's stack. */
#include "filter.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../host_calls.h"
#include "../init-script/host.h"
#include "lua51.h"

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(__SANITIZE_ADDRESS__)
#define OWN_STACK 1
#else
#define OWN_STACK 0
#endif

enum {
  GUARD = 65536, /* a page or more, on every architecture */
  STACK = 524288,
  HEADROOM = 65536, /* below the frames of Lua: for the calls that it makes, and handlers of signals */
  MEMORY = lua51_memory_size,
  KEPT = 512 * 1024, /* more of an instance isn't kept in memory for the next filter */
};

struct call {
  const char *name, *source;
  size_t length;
  const unsigned char *arguments;
  size_t size;
  filter_real real;
  void *context;
  unsigned char *results;
  size_t capacity;
  char *message;
  size_t message_capacity;
  int result;
};

struct instance {
  struct wasm wasm; /* the first: translated code has a pointer to it only */
  struct instance *outer;
  struct call call;
  jmp_buf *innermost; /* of a `protect` */
  jmp_buf trapped;
  uintptr_t caller; /* the thread's stack pointer */
  bool is_in_real;
};

static _Atomic(struct instance *) spare;
static _Thread_local struct instance *current;

static size_t mapping_size(void) { return GUARD + STACK + MEMORY + (sizeof(struct instance) + 4095) / 4096 * 4096; }
static uint8_t *mapping_of(struct instance *i) { return (uint8_t *)i - MEMORY - STACK - GUARD; }
static struct host_memory memory_of(struct wasm *m) { return (struct host_memory){m->memory, MEMORY}; }

static struct instance *take_instance(void) {
  struct instance *kept = atomic_exchange(&spare, NULL);
  if (kept) return kept;
  uint8_t *at = mmap(NULL, mapping_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return NULL;
  mprotect(at, GUARD, PROT_NONE);
  return (struct instance *)(at + GUARD + STACK + MEMORY);
}

/* Secrets of a filter don't outlive it, and the next one finds a memory of zeros. */
static void wipe(struct instance *i) {
  uint8_t *at = mapping_of(i) + GUARD;
  size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (STACK + MEMORY) / page, wiped = 0;
  unsigned char resident[(STACK + MEMORY) / 4096];
  bool known = mincore(at, STACK + MEMORY, resident) == 0;
  if (!known && madvise(at, STACK + MEMORY, MADV_DONTNEED) == 0) return; /* seccomp(2): what is there isn't told */
  for (size_t n = 0; n < pages; n++) {
    if (known && !(resident[n] & 1)) continue;
    explicit_bzero(at + n * page, page);
    wiped += page;
  }
  if (wiped > KEPT) madvise(at, STACK + MEMORY, MADV_DONTNEED);
}

static void give_instance(struct instance *i) {
  wipe(i);
  explicit_bzero(i, sizeof *i);
  struct instance *none = NULL;
  if (!atomic_compare_exchange_strong(&spare, &none, i)) munmap(mapping_of(i), mapping_size());
}

/* ---- stacks ---- */

/* Calls f(argument) on the stack whose upper end is `top`. */
#if OWN_STACK
__attribute__((noinline)) static void on_stack(uintptr_t top, void (*f)(void *), void *argument) {
  __asm__ volatile("" ::"r"(__builtin_frame_address(0))); /* a frame pointer, by which a debugger finds the caller */
  top &= ~(uintptr_t)15;
#if defined(__x86_64__)
  __asm__ volatile(
      "movq %%rsp, %%rbx\n movq %[top], %%rsp\n callq *%[f]\n movq %%rbx, %%rsp\n"
      : "+D"(argument), [top] "+a"(top), [f] "+c"(f)
      :
      : "rbx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
        "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc", "memory");
#else
  register void *x0 __asm__("x0") = argument;
  register uintptr_t x1 __asm__("x1") = top;
  register void (*x2)(void *) __asm__("x2") = f;
  __asm__ volatile("mov x19, sp\n mov sp, x1\n blr x2\n mov sp, x19\n"
                   : "+r"(x0), "+r"(x1), "+r"(x2)
                   :
                   : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                     "x17", "x19", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
                     "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
                     "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc", "memory");
#endif
}
#else
static void on_stack(uintptr_t top, void (*f)(void *), void *argument) {
  (void)top;
  f(argument);
}
#endif

/* ---- what the translated Lua asks for ---- */

static struct instance *instance_of(struct wasm *m) { return (struct instance *)m; }

_Noreturn void wasm_trap(struct wasm *m, enum wasm_trap why) { _longjmp(instance_of(m)->trapped, (int)why); }

uint32_t lua51_host_protect(struct wasm *m, uint32_t f, uint32_t state, uint32_t argument) {
  struct instance *i = instance_of(m);
  jmp_buf here, *outer = i->innermost;
  uint32_t stack = lua51___stack_pointer(m);
  i->innermost = &here;
  uint32_t raised = _setjmp(here) != 0;
  if (!raised) lua51_protected_call(m, f, state, argument);
  else lua51___stack_pointer(m) = stack;
  i->innermost = outer;
  return raised;
}

void lua51_host_raise(struct wasm *m) {
  struct instance *i = instance_of(m);
  if (!i->innermost) wasm_trap(m, WASM_UNREACHABLE);
  _longjmp(*i->innermost, 1);
}

struct real_call {
  struct instance *instance;
  const unsigned char *arguments;
  size_t size;
  unsigned char *results;
  size_t capacity;
  int result;
};

static void call_real(void *argument) {
  struct real_call *call = argument;
  struct instance *i = call->instance;
  i->is_in_real = true;
  call->result = i->call.real(i->call.context, call->arguments, call->size, call->results, call->capacity);
  i->is_in_real = false;
}

/* -> size of the results, or -errno */
static int32_t perform_real(struct wasm *m, uint32_t at) {
  struct instance *i = instance_of(m);
  struct host_memory memory = memory_of(m);
  int64_t raw[HOST_ARGS];
  if (!host_in_memory(memory, at, sizeof raw)) return -EFAULT;
  memcpy(raw, memory.bytes + at, sizeof raw);
  if (!host_in_memory(memory, raw[0], raw[1]) || !host_in_memory(memory, raw[2], raw[3])) return -EFAULT;
  struct real_call call = {i, memory.bytes + raw[0], (size_t)raw[1], memory.bytes + raw[2], (size_t)raw[3], 0};
  on_stack(i->caller, call_real, &call);
  return call.result > raw[3] ? -EMSGSIZE : call.result;
}

uint32_t lua51_host_call(struct wasm *m, uint32_t call, uint32_t at) {
  return (uint32_t)(call == HOST_REAL ? perform_real(m, at) : host_perform(memory_of(m), call, at));
}

/* ---- a run ---- */

/* A copy in the linear memory -> its address; 0: there is no room. */
static uint32_t copy_in(struct wasm *m, const void *bytes, size_t length) {
  uint32_t at = length < MEMORY ? lua51_reserve(m, (uint32_t)length) : 0;
  if (at == 0 || !host_in_memory(memory_of(m), at, (int64_t)length)) return 0;
  if (length > 0) memcpy(m->memory + at, bytes, length);
  return at;
}

static void fail(struct call *call, const char *text, size_t length) {
  call->result = -1;
  if (call->message_capacity == 0) return;
  if (length >= call->message_capacity) length = call->message_capacity - 1;
  memcpy(call->message, text, length);
  call->message[length] = 0;
}
static void fail_with(struct call *call, const char *text) { fail(call, text, strlen(text)); }

static void read_outcome(struct wasm *m, uint32_t at, struct call *call) {
  struct {
    int32_t failed;
    uint32_t bytes, size;
  } outcome;
  struct host_memory memory = memory_of(m);
  if (!host_in_memory(memory, at, sizeof outcome)) wasm_trap(m, WASM_OUT_OF_BOUNDS);
  memcpy(&outcome, memory.bytes + at, sizeof outcome);
  if (!host_in_memory(memory, outcome.bytes, outcome.size)) wasm_trap(m, WASM_OUT_OF_BOUNDS);
  const uint8_t *bytes = memory.bytes + outcome.bytes;
  if (outcome.failed) fail(call, (const char *)bytes, outcome.size);
  else if (outcome.size > call->capacity) fail_with(call, "the results are too large");
  else {
    if (outcome.size > 0) memcpy(call->results, bytes, outcome.size);
    call->result = (int)outcome.size;
  }
}

static const char *text_of(struct wasm *m, enum wasm_trap why) {
  /* Lua's own stack, in its memory, goes down from 192 KiB: below 0 is out of bounds. */
  if (why == WASM_STACK || lua51___stack_pointer(m) > MEMORY) return "stack overflow";
  return "memory fault";
}

static void run(void *argument) {
  struct instance *i = argument;
  struct wasm *m = &i->wasm;
  struct call *call = &i->call;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  m->stack_limit = here - (STACK - HEADROOM) + 4096;
  enum wasm_trap why = (enum wasm_trap)_setjmp(i->trapped);
  if (why) {
    fail_with(call, text_of(m, why));
    return;
  }
  lua51_instantiate(m);
  lua51___wasm_call_ctors(m);
  uint32_t name = copy_in(m, call->name, strlen(call->name) + 1);
  uint32_t source = copy_in(m, call->source, call->length);
  uint32_t arguments = copy_in(m, call->arguments, call->size);
  if (name && source && arguments)
    read_outcome(m, lua51_filter(m, name, source, (uint32_t)call->length, arguments, (uint32_t)call->size), call);
  else fail_with(call, "not enough memory");
}

/* A handler of a signal may have left a filter by siglongjmp(3): its caller's frame is gone then, when this one lies
 * higher on the same stack. */
static void drop_abandoned(uintptr_t here) {
  while (current && OWN_STACK && here > current->caller) {
    stack_t alternate;
    if (sigaltstack(NULL, &alternate) < 0 || (alternate.ss_flags & SS_ONSTACK)) return;
    struct instance *gone = current;
    uintptr_t low = (uintptr_t)mapping_of(gone);
    if (here >= low && here < low + mapping_size()) return;
    current = gone->outer;
    give_instance(gone);
  }
}

__attribute__((noinline)) static int run_in(struct instance *i) {
  /* Nothing of this frame is below its address by more than that. */
  i->caller = (uintptr_t)__builtin_frame_address(0) - 1024;
  on_stack((uintptr_t)i->wasm.memory, run, i);
  return i->call.result;
}

int filter_run(const char *name, const char *source, size_t length, const unsigned char *arguments, size_t size,
               filter_real real, void *context, unsigned char *results, size_t capacity, char *message,
               size_t message_capacity) {
  struct call call = {name, source,  length,   arguments, size,            real,
                      context, results, capacity, message,   message_capacity, 0};
  int number = errno, cancelled;
  drop_abandoned((uintptr_t)__builtin_frame_address(0));
  if (current && current->is_in_real) {
    fail_with(&call, "a filter is called by the function behind a filter");
    return -1;
  }
  struct instance *i = take_instance();
  if (!i) {
    errno = number;
    fail_with(&call, "not enough memory");
    return -1;
  }
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled);
  i->wasm.memory = mapping_of(i) + GUARD + STACK;
  i->call = call;
  i->outer = current;
  current = i;
  int result = run_in(i);
  current = i->outer;
  give_instance(i);
  pthread_setcancelstate(cancelled, NULL);
  errno = number;
  return result;
}

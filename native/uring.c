/* Reads and writes of files through io_uring(7): one ring a thread, whose descriptor Node's loop watches.
 *
 * Bytes go through memory of our own, one piece for each operation. The kernel may write to it for as long
 * as the operation lasts, whatever has become of the JavaScript objects, of the environment, or of the
 * program's interest; it is freed when the result is collected. */
#include "util.h"

#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "fault.h"
#include "pages.h"

enum { ENTRIES = 128, SLOTS = 2 * ENTRIES }; /* the completion queue has twice as many: never too few */
enum { BYTES_PER_TURN = 8 << 20 };

struct slot {
  uint8_t *bytes; /* NULL: free */
};

struct ring {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback, shared_ref;
  uv_poll_t poll;
  int fd, pending, batch;
  int unsent; /* of the pending ones: the kernel has not been told yet */
  int32_t *shared;
  uint32_t *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  struct slot slots[SLOTS];
};

static _Thread_local struct ring *ring = NULL;
bool uring_is_used = false;

static void call_javascript(struct ring *r, int count) {
  napi_handle_scope scope;
  napi_value callback, argument, receiver, error;
  if (napi_open_handle_scope(r->env, &scope) != napi_ok) return;
  if (napi_get_reference_value(r->env, r->callback, &callback) == napi_ok &&
      napi_create_int32(r->env, count, &argument) == napi_ok &&
      napi_get_global(r->env, &receiver) == napi_ok &&
      napi_make_callback(r->env, r->context, receiver, callback, 1, &argument, NULL) ==
        napi_pending_exception &&
      napi_get_and_clear_last_exception(r->env, &error) == napi_ok)
    napi_fatal_exception(r->env, error);
  napi_close_handle_scope(r->env, scope);
}

/* What is done now, and no more: what JavaScript starts meanwhile may be done at once, for ever, and timers and
 * sockets have to have their turns. For the same reason the bytes to be copied are limited. Libuv calls again as
 * long as there are completions: it polls by level. */
static void on_ready(uv_poll_t *handle, int status, int events) {
  struct ring *r = handle->data;
  (void)status;
  (void)events;
  uint32_t head = *r->cq_head;
  const uint32_t tail = __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE);
  int64_t bytes = 0;
  while (head != tail && bytes < BYTES_PER_TURN) {
    int count = 0;
    for (; head != tail && count < r->batch && bytes < BYTES_PER_TURN; head++, count++) {
      const struct io_uring_cqe *done = &r->cqes[head & *r->cq_mask];
      r->shared[2 * count] = (int32_t)done->user_data;
      r->shared[2 * count + 1] = fault(FAULT_URING_RESULT, -1, NULL) ? -errno : done->res;
      if (done->res > 0) bytes += done->res;
    }
    __atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
    r->pending -= count;
    if (r->pending == 0) uv_unref((uv_handle_t *)&r->poll);
    call_javascript(r, count);
    if (ring != r) return;
  }
}

static void after_close(uv_handle_t *handle) {
  struct ring *r = handle->data;
  close(r->fd);
  napi_remove_async_cleanup_hook(r->cleanup);
  /* The pieces of memory stay where operations are in flight: the kernel may write to them yet. */
  if (r->pending == 0)
    for (int i = 0; i < SLOTS; i++) free(r->slots[i].bytes);
  free(r);
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *data) {
  struct ring *r = data;
  (void)hook;
  ring = NULL;
  napi_delete_reference(r->env, r->callback);
  napi_delete_reference(r->env, r->shared_ref);
  napi_async_destroy(r->env, r->context);
  uv_close((uv_handle_t *)&r->poll, after_close);
}

static int set_up(struct ring *r) {
  struct io_uring_params p = {0};
  const uint32_t needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;
  r->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
  if (r->fd < 0) return -errno;
  uring_is_used = true;
  if ((p.features & needed) != needed || p.cq_entries < SLOTS) return -ENOSYS;
  size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
  size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  size_t size = sq_size > cq_size ? sq_size : cq_size;
  const int shared = MAP_SHARED | MAP_POPULATE;
  uint8_t *rings = mmap(NULL, size, PROT_READ | PROT_WRITE, shared, r->fd, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return -errno;
  r->sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, shared,
                 r->fd, IORING_OFF_SQES);
  if (r->sqes == MAP_FAILED) {
    int error = errno;
    munmap(rings, size);
    return -error;
  }
  r->sq_tail = (uint32_t *)(rings + p.sq_off.tail);
  r->sq_mask = (uint32_t *)(rings + p.sq_off.ring_mask);
  r->sq_array = (uint32_t *)(rings + p.sq_off.array);
  r->cq_head = (uint32_t *)(rings + p.cq_off.head);
  r->cq_tail = (uint32_t *)(rings + p.cq_off.tail);
  r->cq_mask = (uint32_t *)(rings + p.cq_off.ring_mask);
  r->cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
  return 0;
}

/* uring_open(callback: (count) => void, shared: Int32Array) -> 0 or -errno (ENOSYS: the kernel has it
 * not, or an old one; EPERM: it isn't allowed). `shared` gets (slot, result) for each that is done.
 * io_uring_setup(2) */
napi_value sys_uring_open(napi_env env, napi_callback_info info) {
  napi_value args[2], name;
  napi_typedarray_type type;
  size_t count = 0;
  void *shared = NULL;
  uv_loop_t *loop;
  if (!take_args(env, info, args, 2)) return NULL;
  if (ring) return give_int32(env, -EALREADY);
  if (napi_get_typedarray_info(env, args[1], &type, &count, &shared, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count < 2) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return NULL;
  }
  if (fault(FAULT_URING, -1, NULL)) return give_result(env, -1);
  struct ring *r = calloc(1, sizeof *r);
  if (!r) return give_int32(env, -ENOMEM);
  r->env = env;
  r->shared = shared;
  r->batch = (int)(count / 2);
  int error = set_up(r);
  napi_create_string_latin1(env, "perilune:uring", NAPI_AUTO_LENGTH, &name);
  if (error == 0 && (napi_get_uv_event_loop(env, &loop) != napi_ok ||
                     napi_async_init(env, NULL, name, &r->context) != napi_ok ||
                     napi_create_reference(env, args[0], 1, &r->callback) != napi_ok ||
                     napi_create_reference(env, args[1], 1, &r->shared_ref) != napi_ok ||
                     napi_add_async_cleanup_hook(env, clean_up, r, &r->cleanup) != napi_ok))
    error = -ENOMEM;
  if (error != 0) {
    if (r->fd >= 0) close(r->fd);
    free(r);
    return give_int32(env, error);
  }
  uv_poll_init(loop, &r->poll, r->fd);
  r->poll.data = r;
  uv_poll_start(&r->poll, UV_READABLE, on_ready);
  uv_unref((uv_handle_t *)&r->poll);
  ring = r;
  return give_int32(env, 0);
}

/* Tell the kernel of all that is in the queue. @returns how many it does not take; they are the last ones */
static int send_all(struct ring *r) {
  while (r->unsent > 0) {
    size_t count = (size_t)r->unsent;
    long done = -1;
    if (!fault(FAULT_URING_SEND, -1, &count))
      done = syscall(SYS_io_uring_enter, r->fd, count, 0, 0, NULL, 0);
    if (done > 0) r->unsent -= (int)done;
    else if (done == 0 || errno != EINTR) break;
  }
  return r->unsent;
}

/* What the kernel has not taken is taken back. */
static void take_back(struct ring *r) {
  __atomic_store_n(r->sq_tail, *r->sq_tail - (uint32_t)r->unsent, __ATOMIC_RELEASE);
  r->pending -= r->unsent;
  r->unsent = 0;
  if (r->pending == 0) uv_unref((uv_handle_t *)&r->poll);
}

/* The slot, or -errno. What is sent at once must not come behind others that are unsent. */
static int submit(int opcode, int fd, uint8_t *bytes, size_t length, double position, bool apart,
                  bool at_once) {
  struct ring *r = ring;
  int slot = 0;
  while (slot < SLOTS && r->slots[slot].bytes) slot++;
  if (slot == SLOTS || r->unsent >= (at_once ? 1 : r->batch)) return -EBUSY;
  if (fault(FAULT_URING_ENTER, -1, &length)) return -errno;
  uint32_t tail = *r->sq_tail;
  uint32_t index = tail & *r->sq_mask;
  struct io_uring_sqe *sqe = &r->sqes[index];
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = (uint8_t)opcode;
  sqe->flags = apart ? IOSQE_ASYNC : 0;
  sqe->fd = fd;
  sqe->addr = (uint64_t)(uintptr_t)bytes;
  sqe->len = (uint32_t)length;
  sqe->off = position < 0 ? (uint64_t)-1 : (uint64_t)position;
  sqe->user_data = (uint64_t)slot;
  r->sq_array[index] = index;
  __atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
  r->unsent++;
  if (r->pending++ == 0) uv_ref((uv_handle_t *)&r->poll);
  if (at_once && send_all(r) > 0) {
    int error = errno;
    take_back(r);
    return -error;
  }
  r->slots[slot].bytes = bytes;
  return slot;
}

/* uring_send() -> how many of the reads the kernel does not take: `shared` has (slot, -EAGAIN) for each of them.
 * io_uring_enter(2) */
napi_value sys_uring_send(napi_env env, napi_callback_info info) {
  (void)info;
  struct ring *r = ring;
  if (!r) return give_int32(env, 0);
  const int refused = send_all(r);
  if (refused == 0) return give_int32(env, 0);
  const uint32_t first = *r->sq_tail - (uint32_t)refused;
  for (int i = 0; i < refused; i++) {
    r->shared[2 * i] = (int32_t)r->sqes[(first + (uint32_t)i) & *r->sq_mask].user_data;
    r->shared[2 * i + 1] = -EAGAIN;
  }
  take_back(r);
  return give_int32(env, refused);
}

/* uring_read(fd, length, position, or -1: the file's own, apart: boolean) -> slot, or -errno (EBUSY: too many
 * at once). It begins with the next uring_send. Apart: in a thread of the kernel's, even what is in memory.
 * IORING_OP_READ, IOSQE_ASYNC */
napi_value sys_uring_read(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t fd, length;
  double position;
  bool apart;
  if (!take_args(env, info, args, 4) || napi_get_value_bool(env, args[3], &apart) != napi_ok || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[1], &length) ||
      napi_get_value_double(env, args[2], &position) != napi_ok || length < 0)
    return NULL;
  if (!ring) return give_int32(env, -ENOSYS);
  uint8_t *bytes = malloc((size_t)length + 1);
  if (!bytes) return give_int32(env, -ENOMEM);
  int slot = submit(IORING_OP_READ, fd, bytes, (size_t)length, position, apart, false);
  if (slot < 0) free(bytes);
  return give_int32(env, slot);
}

/* uring_write(fd, bytes, offset, length, position, or -1, apart) -> slot, or -errno (EBUSY; others as io_uring_enter(2)).
 * It begins at once, with no read before it that is unsent. The bytes are copied before it returns.  IORING_OP_WRITE */
napi_value sys_uring_write(napi_env env, napi_callback_info info) {
  napi_value args[6];
  int32_t fd, offset, length;
  double position;
  bool apart;
  uint8_t *from;
  if (!take_args(env, info, args, 6) || napi_get_value_bool(env, args[5], &apart) != napi_ok || !take_int32(env, args[0], &fd) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &length) ||
      napi_get_value_double(env, args[4], &position) != napi_ok ||
      !take_bytes(env, args[1], offset, length, &from))
    return NULL;
  if (!ring) return give_int32(env, -ENOSYS);
  uint8_t *bytes = malloc((size_t)length + 1);
  if (!bytes) return give_int32(env, -ENOMEM);
  memcpy(bytes, from, (size_t)length);
  int slot = submit(IORING_OP_WRITE, fd, bytes, (size_t)length, position, apart, true);
  if (slot < 0) free(bytes);
  return give_int32(env, slot);
}

/* uring_collect(slot, bytes, offset, length): copy what a read has brought, and free the slot, which
 * must be one that is done. */
napi_value sys_uring_collect(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int32_t slot, offset, length;
  uint8_t *to;
  if (!take_args(env, info, args, 4) || !take_int32(env, args[0], &slot) ||
      !take_int32(env, args[2], &offset) || !take_int32(env, args[3], &length) ||
      !take_bytes(env, args[1], offset, length, &to))
    return NULL;
  if (!ring || slot < 0 || slot >= SLOTS || !ring->slots[slot].bytes)
    return give_int32(env, -EINVAL);
  memcpy(to, ring->slots[slot].bytes, (size_t)length);
  free(ring->slots[slot].bytes);
  ring->slots[slot].bytes = NULL;
  return give_int32(env, 0);
}

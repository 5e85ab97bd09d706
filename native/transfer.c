/* Reads and writes of many sockets in one system call: io_uring(7), one ring a thread.
 *
 * None of them waits: each has MSG_DONTWAIT, which io_uring takes for its own nowait, too, so that all are
 * done when io_uring_enter(2) returns, as they would be one by one. The kernel holds no memory of ours after
 * that. docs/decisions/0025-batches.md */
#include "transfer.h"
#include "util.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

enum { ENTRIES = 64 };
enum { FD, KIND, OFFSET, LENGTH, RESULT, FIELDS }; /* of each call */
enum { READ, WRITE };

struct ring {
  int fd;
  uint32_t *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  uint8_t *rings;
  size_t rings_size, sqes_size;
};

static _Thread_local struct ring *ring = NULL;
static atomic_bool stopped = false;

void transfers_stop(void) {
  atomic_store(&stopped, true);
}

bool transfers_stopped(void) {
  return atomic_load(&stopped);
}

static void close_ring(struct ring *r) {
  if (r->sqes && r->sqes != MAP_FAILED) munmap(r->sqes, r->sqes_size);
  if (r->rings && r->rings != MAP_FAILED) munmap(r->rings, r->rings_size);
  if (r->fd >= 0) close(r->fd);
  free(r);
}

static void clean_up(void *data) {
  close_ring(data);
  ring = NULL;
}

static int open_ring(napi_env env) {
  struct io_uring_params p = {.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
                                       IORING_SETUP_SINGLE_ISSUER};
  struct ring *r = calloc(1, sizeof *r);
  if (!r) return -ENOMEM;
  r->fd = fault(FAULT_URING, -1, NULL) ? -1 : (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
  int error = r->fd < 0 ? errno : 0;
  if (error == 0 && !(p.features & IORING_FEAT_SINGLE_MMAP)) error = ENOSYS;
  if (error == 0) {
    const size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
    const size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    const int shared = MAP_SHARED | MAP_POPULATE;
    r->rings_size = sq_size > cq_size ? sq_size : cq_size;
    r->sqes_size = p.sq_entries * sizeof(struct io_uring_sqe);
    r->rings = mmap(NULL, r->rings_size, PROT_READ | PROT_WRITE, shared, r->fd, IORING_OFF_SQ_RING);
    r->sqes = mmap(NULL, r->sqes_size, PROT_READ | PROT_WRITE, shared, r->fd, IORING_OFF_SQES);
    if (r->rings == MAP_FAILED || (void *)r->sqes == MAP_FAILED) error = errno;
  }
  if (error == 0 && napi_add_env_cleanup_hook(env, clean_up, r) != napi_ok) error = ENOMEM;
  if (error != 0) {
    close_ring(r);
    return -error;
  }
  r->sq_tail = (uint32_t *)(r->rings + p.sq_off.tail);
  r->sq_mask = (uint32_t *)(r->rings + p.sq_off.ring_mask);
  r->sq_array = (uint32_t *)(r->rings + p.sq_off.array);
  r->cq_head = (uint32_t *)(r->rings + p.cq_off.head);
  r->cq_tail = (uint32_t *)(r->rings + p.cq_off.tail);
  r->cq_mask = (uint32_t *)(r->rings + p.cq_off.ring_mask);
  r->cqes = (struct io_uring_cqe *)(r->rings + p.cq_off.cqes);
  ring = r;
  return 0;
}

/* transfer_open() -> 0 or -errno: EPERM, ENOSYS: there are none here.  io_uring_setup(2) */
napi_value sys_transfer_open(napi_env env, napi_callback_info info) {
  (void)info;
  if (atomic_load(&stopped)) return give_int32(env, -EPERM);
  return give_int32(env, ring ? 0 : open_ring(env));
}

static const int flags[] = {[READ] = MSG_DONTWAIT, [WRITE] = MSG_DONTWAIT | MSG_NOSIGNAL};

static void prepare(struct ring *r, int index, const int32_t *call, uint8_t *bytes, size_t length) {
  const uint32_t tail = *r->sq_tail, at = tail & *r->sq_mask;
  struct io_uring_sqe *sqe = &r->sqes[at];
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = call[KIND] == READ ? IORING_OP_RECV : IORING_OP_SEND;
  sqe->fd = call[FD];
  sqe->addr = (uint64_t)(uintptr_t)bytes;
  sqe->len = (uint32_t)length;
  sqe->msg_flags = (uint32_t)flags[call[KIND]];
  sqe->user_data = (uint64_t)index;
  r->sq_array[at] = at;
  __atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Take results. @return how many there were */
static int reap(struct ring *r, int32_t *calls) {
  uint32_t head = *r->cq_head;
  const uint32_t tail = __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE);
  const int count = (int)(tail - head);
  for (; head != tail; head++) {
    const struct io_uring_cqe *done = &r->cqes[head & *r->cq_mask];
    calls[done->user_data * FIELDS + RESULT] = done->res;
  }
  __atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
  return count;
}

/* @param waiting  how many have been prepared. @return 0 or -errno: those that the kernel hasn't taken are
 * taken back, and have no result */
static int submit(struct ring *r, int32_t *calls, int waiting) {
  int left = waiting, done = 0, error = 0;
  while (done < waiting) {
    /* All are done at once. If one should not be (a kernel of another mind), it is waited for. */
    const long taken = syscall(SYS_io_uring_enter, r->fd, left, waiting - done,
                               IORING_ENTER_GETEVENTS, NULL, 0);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0 && left > 0) {
      error = taken < 0 ? errno : EAGAIN;
      __atomic_store_n(r->sq_tail, *r->sq_tail - (uint32_t)left, __ATOMIC_RELEASE);
      waiting -= left;
      left = 0;
    } else if (taken > 0) {
      left -= (int)taken;
    }
    done += reap(r, calls);
  }
  return -error;
}

/* transfer(count <= 64, calls: Int32Array, ...buffers: Uint8Array) -> 0 or -errno. `calls` has for each (fd,
 * 0: recv or 1: send, offset and length in its buffer, result: bytes or -errno, set here; what is left as
 * it was hasn't been called). Of those of one direction no two should be of the same descriptor. (Elements of an array
 * would be looked up by name, each.) recv(2), send(2): MSG_DONTWAIT, MSG_NOSIGNAL */
napi_value sys_transfer(napi_env env, napi_callback_info info) {
  napi_value args[2 + ENTRIES];
  int32_t count;
  size_t given = 2 + ENTRIES, fields = 0;
  void *data = NULL;
  napi_typedarray_type type;
  if (napi_get_cb_info(env, info, &given, args, NULL, NULL) != napi_ok || !take_int32(env, args[0], &count))
    return NULL;
  if (napi_get_typedarray_info(env, args[1], &type, &fields, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count < 0 || count > ENTRIES || fields < (size_t)count * FIELDS ||
      given < 2 + (size_t)count) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected, and a buffer for each call");
    return NULL;
  }
  errno = EPERM;
  if (!ring || atomic_load(&stopped)) return give_quickly(-1);
  int32_t *calls = data;
  uint8_t *bytes[ENTRIES];
  for (int i = 0; i < count; i++) { /* before any is prepared */
    const int32_t *call = calls + i * FIELDS;
    if ((call[KIND] & ~1) != 0) {
      napi_throw_type_error(env, NULL, "perilune addon: no such call");
      return NULL;
    }
    if (!take_bytes(env, args[2 + i], call[OFFSET], call[LENGTH], &bytes[i])) return NULL;
  }
  int waiting = 0;
  for (int i = 0; i < count; i++) {
    int32_t *call = calls + i * FIELDS;
    size_t length = (size_t)call[LENGTH];
    if (fault(call[KIND] == READ ? FAULT_READ : FAULT_WRITE, call[FD], &length)) {
      call[RESULT] = -errno;
      continue;
    }
    prepare(ring, i, call, bytes[i], length);
    waiting++;
  }
  if (fault(FAULT_URING_ENTER, -1, NULL)) {
    const int error = errno;
    __atomic_store_n(ring->sq_tail, *ring->sq_tail - (uint32_t)waiting, __ATOMIC_RELEASE);
    errno = error;
    return give_quickly(-1);
  }
  errno = -submit(ring, calls, waiting);
  return give_quickly(errno == 0 ? 0 : -1);
}

/* read_socket(fd, bytes: Uint8Array, offset, length > 0) -> bytes read, 0 at the end, or -errno.  recv(2) */
napi_value sys_read_socket(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  if (fault(FAULT_READ, fd, &length)) return give_quickly(-1);
  return give_quickly(read_socket(fd, bytes, length));
}

/* write_socket(fd, bytes: Uint8Array, offset, length > 0) -> bytes written or -errno.  send(2) */
napi_value sys_write_socket(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  if (fault(FAULT_WRITE, fd, &length)) return give_quickly(-1);
  return give_quickly(write_socket(fd, bytes, length));
}

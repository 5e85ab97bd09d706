/* An epoll set of our own, in which the thread waits: Node's loop is one of the descriptors in it.
 *
 * Every descriptor is registered once, edge-triggered, for all events, unless the caller wants those for
 * reading level-triggered (io/descriptor.ts says when). `shared` holds a batch of them
 * for JavaScript: (fd, generation, events) each. The generation is what the caller registered; it tells
 * an event for a closed descriptor from one for its successor of the same number.
 *
 * libuv would wait for the set inside its own: two or three system calls and a turn of Node's loop for
 * each wake-up. So the wait is in wait_for_events, which libuv calls before it would wait itself: it
 * goes on, one epoll_wait each time, until there is something for libuv (its descriptor is ready, a timer
 * is due, something has been started or is to be closed: uv_backend_fd, uv_backend_timeout). While the
 * reactor is open libuv itself never waits: `no_wait`, an idle handle, makes it look and go on.
 * docs/decisions/0020-one-wait.md
 *
 * JavaScript that has been called with a batch asks for the next one itself (reactor_wait), and returns when it is
 * libuv's turn: to enter it costs as much as a message does otherwise. docs/decisions/0052-waits-without-leaving.md
 *
 * shared[EVENT_COUNT] says how many. (An argument would be one more object of V8's to make.)
 *
 * shared[PENDING_COUNT] is how many operations wait, kept by JavaScript. The prepare handle keeps the
 * loop alive while it isn't 0: JavaScript calls reactor_ref when the count leaves 0 and
 * shared[REFERENCED] is 0; giving up the reference is left to wait_for_events, since a busy program
 * passes through 0 many times between two waits.
 *
 * The epoll set isn't shared across fork: a child must open a reactor of its own. */
#include "util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "fault.h"
#include "reactor.h"
#include "transfer.h"

enum { PENDING_COUNT, REFERENCED, EVENT_COUNT, READ_RESULT, HEADER, FIELDS = 3, MAX_BATCH = 256 };
#define ALL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define READ_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLPRI) /* as long as they last, not once */
#define LEVEL 0x80000000u /* with a generation: READ_EVENTS */
#define NODES_LOOP UINT64_MAX /* in place of generation and descriptor */

struct reactor {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback, shared_ref;
  uv_loop_t *loop;
  uv_prepare_t prepare;
  uv_idle_t no_wait;
  int epoll, open_handles, batch;
  bool libuvs_turn;
  int32_t *shared;
  uint32_t *generations; /* by fd, 0: not registered; for reactor_rearm */
  int generations_size;
  struct epoll_event events[MAX_BATCH];
};

static _Thread_local struct reactor *reactor = NULL; /* a thread has one environment */

/* What the callback throws is reported while the scope is open: what `process.nextTick` was told to call is called in it
 * (io/reactor.ts), and leaves entries in the scope's stack of contexts when it throws. Reporting clears that stack;
 * closing the scope with more in it ends the process. */
static void call_javascript(struct reactor *r) {
  napi_handle_scope scope;
  napi_callback_scope turn;
  napi_value callback, error;
  if (napi_open_handle_scope(r->env, &scope) != napi_ok) return;
  if (napi_get_reference_value(r->env, r->callback, &callback) == napi_ok &&
      napi_open_callback_scope(r->env, callback, r->context, &turn) == napi_ok) {
    if (napi_call_function(r->env, callback, callback, 0, NULL, NULL) == napi_pending_exception &&
        napi_get_and_clear_last_exception(r->env, &error) == napi_ok)
      napi_fatal_exception(r->env, error); /* the process's uncaughtException */
    napi_close_callback_scope(r->env, turn);
  }
  napi_close_handle_scope(r->env, scope);
}

static void after_look(uv_idle_t *handle) {
  (void)handle;
}

/* @return how many of `count` events are ours, and not of Node's loop; they are in `shared` now */
static int take_events(struct reactor *r, int count) {
  int32_t *out = r->shared + HEADER;
  int ours = 0;
  for (int i = 0; i < count; i++) {
    const uint64_t key = r->events[i].data.u64;
    if (key == NODES_LOOP) continue;
    out[0] = (int32_t)(key & 0xffffffff);
    out[1] = (int32_t)(key >> 32);
    out[2] = (int32_t)r->events[i].events;
    out += FIELDS;
    ours++;
  }
  r->shared[EVENT_COUNT] = ours;
  return ours;
}

/* No operation of ours keeps the loop alive any more, if none is pending. */
static void let_loop_end(struct reactor *r) {
  if (!r->shared[REFERENCED] || r->shared[PENDING_COUNT] != 0) return;
  uv_unref((uv_handle_t *)&r->prepare);
  r->shared[REFERENCED] = 0;
}

/* Wait for a batch. @return how many events there are in it */
static int wait_for_batch(struct reactor *r) {
  const int timeout = uv_backend_timeout(r->loop);
  const int count = epoll_wait(r->epoll, r->events, r->batch, timeout);
  if (timeout != 0) uv_update_time(r->loop);
  const int ours = take_events(r, count);
  r->libuvs_turn = count <= 0 || timeout == 0 || ours < count;
  return ours;
}

/* Before libuv waits, once a turn of the loop. */
static void wait_for_events(uv_prepare_t *handle) {
  struct reactor *r = handle->data;
  uv_idle_stop(&r->no_wait);
  r->libuvs_turn = false;
  while (reactor == r && !r->libuvs_turn) {
    let_loop_end(r);
    if (wait_for_batch(r) <= 0) break;
    call_javascript(r);
  }
  if (reactor == r) uv_idle_start(&r->no_wait, after_look);
}

/* Of the batch: whether all there is of ours is that `fd` is readable. */
static bool only_readable(const struct reactor *r, int fd) {
  const int32_t *event = r->shared + HEADER;
  return r->shared[EVENT_COUNT] == 1 && event[0] == fd && (event[2] & EPOLLIN) && fd < r->generations_size &&
         (uint32_t)event[1] == (r->generations[fd] & ~LEVEL);
}

/* The same for JavaScript. @return 0: it is libuv's turn; -1: nothing of ours or libuv's keeps the loop alive */
static int wait_inside(struct reactor *r) {
  if (!r || r->libuvs_turn) return 0;
  let_loop_end(r);
  return !r->shared[REFERENCED] && !uv_loop_alive(r->loop) ? -1 : wait_for_batch(r);
}

static napi_value deliver_count(int count) {
  results[0] = count;
  return NULL;
}

/* reactor_wait_reading(fd, bytes: Uint8Array, offset, length > 0) -> as reactor_wait. When all there is is that `fd`, a socket,
 * is readable, it has been read from: shared[READ_RESULT] is a number of bytes or -errno, or as it was before. recv(2) */
napi_value sys_reactor_wait_reading(napi_env env, napi_callback_info info) {
  int32_t fd;
  uint8_t *bytes;
  size_t length;
  if (!take_fd_and_bytes(env, info, &fd, &bytes, &length)) return NULL;
  const int count = wait_inside(reactor);
  if (count == 1 && only_readable(reactor, fd)) {
    const ssize_t got = fault(FAULT_READ, fd, &length) ? -1 : read_socket(fd, bytes, length);
    reactor->shared[READ_RESULT] = (int32_t)(got < 0 ? -errno : got);
  }
  return deliver_count(count);
}

/* reactor_wait() -> how many events there are, in `shared`; 0: it is libuv's turn; negative: that would find that
 * nothing keeps it alive, and has not been waited for. From the callback only. */
napi_value sys_reactor_wait(napi_env env, napi_callback_info info) {
  (void)info;
  return deliver_count(wait_inside(reactor));
}

static void after_close(uv_handle_t *handle) {
  struct reactor *r = handle->data;
  if (--r->open_handles > 0) return;
  close(r->epoll);
  napi_remove_async_cleanup_hook(r->cleanup);
  free(r->generations);
  free(r);
}

/* The environment ends (process exit, or the end of a worker). */
static void clean_up(napi_async_cleanup_hook_handle hook, void *data) {
  struct reactor *r = data;
  (void)hook;
  reactor = NULL;
  napi_delete_reference(r->env, r->callback);
  napi_delete_reference(r->env, r->shared_ref);
  napi_async_destroy(r->env, r->context);
  uv_close((uv_handle_t *)&r->prepare, after_close);
  uv_close((uv_handle_t *)&r->no_wait, after_close);
}

/* reactor_open(callback: () => void, shared: Int32Array) -> 0 or -errno.
 * Once a thread (EALREADY). `shared` must have room for 4 + 3 * n numbers; n is the batch size. */
napi_value sys_reactor_open(napi_env env, napi_callback_info info) {
  napi_value args[2], name;
  napi_typedarray_type type;
  size_t count = 0;
  void *shared = NULL;
  struct epoll_event nodes_loop = {EPOLLIN, {.u64 = NODES_LOOP}};
  if (!take_args(env, info, args, 2)) return NULL;
  if (reactor) return give_int32(env, -EALREADY);
  if (napi_get_typedarray_info(env, args[1], &type, &count, &shared, NULL, NULL) != napi_ok ||
      type != napi_int32_array || count < HEADER + FIELDS) {
    napi_throw_type_error(env, NULL, "perilune addon: an Int32Array was expected");
    return NULL;
  }
  struct reactor *r = calloc(1, sizeof *r);
  if (!r) return give_int32(env, -ENOMEM);
  r->env = env;
  r->shared = shared;
  r->batch = (int)((count - HEADER) / FIELDS);
  if (r->batch > MAX_BATCH) r->batch = MAX_BATCH;
  r->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (r->epoll < 0) {
    free(r);
    return give_result(env, -1);
  }
  napi_create_string_latin1(env, "perilune:reactor", NAPI_AUTO_LENGTH, &name);
  if (napi_get_uv_event_loop(env, &r->loop) != napi_ok ||
      napi_async_init(env, NULL, name, &r->context) != napi_ok ||
      napi_create_reference(env, args[0], 1, &r->callback) != napi_ok ||
      napi_create_reference(env, args[1], 1, &r->shared_ref) != napi_ok ||
      epoll_ctl(r->epoll, EPOLL_CTL_ADD, uv_backend_fd(r->loop), &nodes_loop) < 0 ||
      napi_add_async_cleanup_hook(env, clean_up, r, &r->cleanup) != napi_ok) {
    close(r->epoll);
    free(r); /* references are the environment's to free */
    return give_int32(env, -ENOMEM);
  }
  uv_prepare_init(r->loop, &r->prepare);
  uv_idle_init(r->loop, &r->no_wait);
  r->prepare.data = r->no_wait.data = r;
  r->open_handles = 2;
  uv_prepare_start(&r->prepare, wait_for_events);
  uv_unref((uv_handle_t *)&r->prepare);
  uv_unref((uv_handle_t *)&r->no_wait);
  reactor = r;
  return give_int32(env, 0);
}

/* reactor_ref() -> 0 or -EBADF: keep the loop alive, until the pending count is seen at 0. */
napi_value sys_reactor_ref(napi_env env, napi_callback_info info) {
  (void)info;
  if (!reactor) return give_int32(env, -EBADF);
  uv_ref((uv_handle_t *)&reactor->prepare);
  reactor->shared[REFERENCED] = 1;
  return give_int32(env, 0);
}

/* @param generation  of the descriptor, perhaps with LEVEL */
static int control(int operation, int fd, uint32_t generation) {
  struct epoll_event event = {
    generation & LEVEL ? READ_EVENTS : ALL_EVENTS,
    {.u64 = (uint64_t)(generation & ~LEVEL) << 32 | (uint32_t)fd},
  };
  return epoll_ctl(reactor->epoll, operation, fd, &event);
}

static bool remember(int fd, uint32_t generation) {
  if (fd >= reactor->generations_size) {
    int size = fd < 64 ? 128 : fd * 2;
    uint32_t *grown = realloc(reactor->generations, (size_t)size * sizeof *grown);
    if (!grown) return false;
    memset(grown + reactor->generations_size, 0,
           (size_t)(size - reactor->generations_size) * sizeof *grown);
    reactor->generations = grown;
    reactor->generations_size = size;
  }
  reactor->generations[fd] = generation;
  return true;
}

/* reactor_add(fd, generation > 0) -> 0 or -errno (EPERM: this kind of file has no events; ENOSPC:
 * too many watches).  epoll_ctl(2), EPOLL_CTL_ADD */
napi_value sys_reactor_add(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  errno = EBADF;
  if (!reactor || arg[0] < 0) return give_quickly(-1);
  if (fault(FAULT_EPOLL_CTL, arg[0], NULL)) return give_quickly(-1);
  errno = ENOMEM;
  if (!remember(arg[0], (uint32_t)arg[1])) return give_quickly(-1);
  const int result = control(EPOLL_CTL_ADD, arg[0], (uint32_t)arg[1]);
  if (result < 0) reactor->generations[arg[0]] = 0;
  return give_quickly(result);
}

/* reactor_set_level(fd, on) -> 0 or -errno: events for reading are told at each wait as long as they last,
 * and no others are; or all of them once, as at first.  epoll_ctl(2), EPOLL_CTL_MOD */
napi_value sys_reactor_set_level(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  const int fd = arg[0];
  if (!reactor || fd < 0 || fd >= reactor->generations_size || reactor->generations[fd] == 0)
    return give_int32(env, -EBADF);
  const uint32_t generation = reactor->generations[fd] & ~LEVEL;
  reactor->generations[fd] = generation | (arg[1] ? LEVEL : 0);
  return give_result(env, control(EPOLL_CTL_MOD, fd, reactor->generations[fd]));
}

/* reactor_remove(fd) -> 0 or -errno. Needed before close: a duplicate elsewhere (a child process,
 * a passed descriptor) would keep the registration alive.  epoll_ctl(2), EPOLL_CTL_DEL */
napi_value sys_reactor_remove(napi_env env, napi_callback_info info) {
  int32_t fd;
  if (!take_int32s(env, info, &fd, 1)) return NULL;
  if (!reactor) return give_int32(env, -EBADF);
  if (fd >= 0 && fd < reactor->generations_size) reactor->generations[fd] = 0;
  return give_result(env, epoll_ctl(reactor->epoll, EPOLL_CTL_DEL, fd, NULL));
}

void reactor_rearm(int fd) {
  if (reactor && fd >= 0 && fd < reactor->generations_size && reactor->generations[fd])
    control(EPOLL_CTL_MOD, fd, reactor->generations[fd]);
}

/* One epoll set of our own inside one uv_poll handle on Node's loop.
 *
 * Every descriptor is registered once, edge-triggered, for all events. When libuv sees that the set
 * has something, on_ready fetches all of it in batches and hands each batch to JavaScript in one
 * call: `shared` then holds (fd, generation, events) for each. The generation is what the caller
 * registered; it tells an event for a closed descriptor from one for its successor of the same
 * number.
 *
 * shared[PENDING_COUNT] is how many operations wait, kept by JavaScript. The handle keeps the loop
 * alive while it isn't 0: JavaScript calls reactor_ref when the count leaves 0 and
 * shared[REFERENCED] is 0; giving up the reference is left to before_poll, which runs once a turn,
 * since a busy program passes through 0 many times in each.
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

enum { PENDING_COUNT, REFERENCED, HEADER = 4, FIELDS = 3, MAX_BATCH = 1024 };
#define ALL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

struct reactor {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback, shared_ref;
  uv_poll_t poll;
  uv_prepare_t prepare;
  int epoll, open_handles, batch;
  int32_t *shared;
  uint32_t *generations; /* by fd, 0: not registered; for reactor_rearm */
  int generations_size;
  struct epoll_event events[MAX_BATCH];
};

static _Thread_local struct reactor *reactor = NULL; /* a thread has one environment */

static void call_javascript(struct reactor *r, int count) {
  napi_handle_scope scope;
  napi_value callback, argument, receiver, error;
  if (napi_open_handle_scope(r->env, &scope) != napi_ok) return;
  if (napi_get_reference_value(r->env, r->callback, &callback) == napi_ok &&
      napi_create_int32(r->env, count, &argument) == napi_ok &&
      napi_get_global(r->env, &receiver) == napi_ok &&
      napi_make_callback(r->env, r->context, receiver, callback, 1, &argument, NULL) ==
        napi_pending_exception &&
      napi_get_and_clear_last_exception(r->env, &error) == napi_ok)
    napi_fatal_exception(r->env, error); /* the process's uncaughtException */
  napi_close_handle_scope(r->env, scope);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
  struct reactor *r = handle->data;
  int count;
  (void)status;
  (void)events;
  do {
    count = epoll_wait(r->epoll, r->events, r->batch, 0);
    int32_t *out = r->shared + HEADER;
    for (int i = 0; i < count; i++, out += FIELDS) {
      out[0] = (int32_t)(r->events[i].data.u64 & 0xffffffff);
      out[1] = (int32_t)(r->events[i].data.u64 >> 32);
      out[2] = (int32_t)r->events[i].events;
    }
    if (count > 0) call_javascript(r, count);
  } while (count == r->batch && reactor == r);
}

static void before_poll(uv_prepare_t *handle) {
  struct reactor *r = handle->data;
  if (!r->shared[REFERENCED] || r->shared[PENDING_COUNT] != 0) return;
  uv_unref((uv_handle_t *)&r->poll);
  r->shared[REFERENCED] = 0;
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
  uv_close((uv_handle_t *)&r->poll, after_close);
  uv_close((uv_handle_t *)&r->prepare, after_close);
}

/* reactor_open(callback: (count) => void, shared: Int32Array) -> 0 or -errno.
 * Once a thread (EALREADY). `shared` must have room for 4 + 3 * n numbers; n is the batch size. */
napi_value sys_reactor_open(napi_env env, napi_callback_info info) {
  napi_value args[2], name;
  napi_typedarray_type type;
  size_t count = 0;
  void *shared = NULL;
  uv_loop_t *loop;
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
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_async_init(env, NULL, name, &r->context) != napi_ok ||
      napi_create_reference(env, args[0], 1, &r->callback) != napi_ok ||
      napi_create_reference(env, args[1], 1, &r->shared_ref) != napi_ok ||
      napi_add_async_cleanup_hook(env, clean_up, r, &r->cleanup) != napi_ok) {
    close(r->epoll);
    free(r); /* references are the environment's to free */
    return give_int32(env, -ENOMEM);
  }
  uv_poll_init(loop, &r->poll, r->epoll);
  uv_prepare_init(loop, &r->prepare);
  r->poll.data = r->prepare.data = r;
  r->open_handles = 2;
  uv_poll_start(&r->poll, UV_READABLE, on_ready);
  uv_prepare_start(&r->prepare, before_poll);
  uv_unref((uv_handle_t *)&r->poll);
  uv_unref((uv_handle_t *)&r->prepare);
  reactor = r;
  return give_int32(env, 0);
}

/* reactor_ref() -> 0 or -EBADF: keep the loop alive, until the pending count is seen at 0. */
napi_value sys_reactor_ref(napi_env env, napi_callback_info info) {
  (void)info;
  if (!reactor) return give_int32(env, -EBADF);
  uv_ref((uv_handle_t *)&reactor->poll);
  reactor->shared[REFERENCED] = 1;
  return give_int32(env, 0);
}

static int control(int operation, int fd, uint32_t generation) {
  struct epoll_event event = {ALL_EVENTS, {.u64 = (uint64_t)generation << 32 | (uint32_t)fd}};
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
  if (!reactor || arg[0] < 0) return give_int32(env, -EBADF);
  if (fault(FAULT_EPOLL_CTL, arg[0], NULL)) return give_result(env, -1);
  if (!remember(arg[0], (uint32_t)arg[1])) return give_int32(env, -ENOMEM);
  int result = control(EPOLL_CTL_ADD, arg[0], (uint32_t)arg[1]);
  if (result < 0) reactor->generations[arg[0]] = 0;
  return give_result(env, result);
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

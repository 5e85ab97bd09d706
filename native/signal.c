/* Signals, by a handler that counts.
 *
 * Not signalfd(2): that needs the signal blocked in every thread, and V8 and libuv have threads that
 * block nothing. The handler may run in any of them, so it does two things only: it adds to a counter,
 * and writes to an eventfd, of each listener. A listener is a thread with an environment; its event
 * loop sees the eventfd and takes the counters.
 *
 * A signal has one disposition in the process. While somebody listens it is the handler; then what was
 * there before comes back, a handler of libuv's included. SIGCHLD is passed on to a handler that was
 * there before: libuv would never learn of the children that end meanwhile. */
#include "util.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fault.h"

enum { SIGNALS = 65, LISTENERS = 256 };
enum { DISPOSITION_DEFAULT, DISPOSITION_IGNORE, DISPOSITION_HANDLER };

struct listener {
  _Atomic int eventfd; /* -1: nobody */
  _Atomic uint64_t wanted;
  _Atomic uint32_t counts[SIGNALS];
};

static struct listener listeners[LISTENERS];
static _Atomic int listeners_used = 0; /* those after are -1 in spirit */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all but the handler */
static int watchers[SIGNALS];
static struct sigaction before[SIGNALS];
static _Thread_local struct listener *own = NULL;

static uint64_t bit(int number) { return (uint64_t)1 << (number - 1); }

static void on_signal(int number, siginfo_t *details, void *context) {
  int saved = errno;
  int used = atomic_load(&listeners_used);
  for (int i = 0; i < used; i++) {
    struct listener *l = &listeners[i];
    int fd = atomic_load(&l->eventfd);
    if (fd < 0 || !(atomic_load(&l->wanted) & bit(number))) continue;
    atomic_fetch_add(&l->counts[number], 1);
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written; /* EAGAIN: it is readable already */
  }
  if (number == SIGCHLD) {
    const struct sigaction *old = &before[SIGCHLD];
    if (old->sa_flags & SA_SIGINFO) old->sa_sigaction(number, details, context);
    else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) old->sa_handler(number);
  }
  errno = saved;
}

static bool is_number(int number) { return number > 0 && number < SIGNALS; }

static int watch(int number) {
  struct sigaction handler;
  atomic_fetch_or(&own->wanted, bit(number)); /* before the handler is there, or it might miss one */
  if (watchers[number] == 0) {
    memset(&handler, 0, sizeof handler);
    handler.sa_sigaction = on_signal;
    handler.sa_flags = SA_RESTART | SA_SIGINFO;
    sigfillset(&handler.sa_mask);
    if (sigaction(number, NULL, &before[number]) < 0 || sigaction(number, &handler, NULL) < 0) {
      atomic_fetch_and(&own->wanted, ~bit(number));
      return -1;
    }
  }
  watchers[number]++;
  return 0;
}

static int unwatch(struct listener *l, int number) {
  atomic_fetch_and(&l->wanted, ~bit(number));
  atomic_store(&l->counts[number], 0);
  if (--watchers[number] > 0) return 0;
  return sigaction(number, &before[number], NULL);
}

/* The environment ends. */
static void clean_up(void *data) {
  struct listener *l = data;
  pthread_mutex_lock(&lock);
  for (int number = 1; number < SIGNALS; number++)
    if (atomic_load(&l->wanted) & bit(number)) unwatch(l, number);
  int fd = atomic_exchange(&l->eventfd, -1);
  pthread_mutex_unlock(&lock);
  if (fd >= 0) close(fd);
  own = NULL;
}

/* signal_open() -> an eventfd that becomes readable with the signals that are watched, or -errno.
 * Once a thread (EALREADY); it is closed when the environment ends.  eventfd(2) */
napi_value sys_signal_open(napi_env env, napi_callback_info info) {
  (void)info;
  if (own) return give_int32(env, -EALREADY);
  int fd = fault(FAULT_EVENTFD, -1, NULL) ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return give_result(env, -1);
  pthread_mutex_lock(&lock);
  int used = atomic_load(&listeners_used), i = 0;
  while (i < used && atomic_load(&listeners[i].eventfd) >= 0) i++;
  if (i < LISTENERS) {
    own = &listeners[i];
    atomic_store(&own->wanted, 0);
    atomic_store(&own->eventfd, fd);
    if (i == used) atomic_store(&listeners_used, used + 1);
  }
  pthread_mutex_unlock(&lock);
  if (!own) {
    close(fd);
    return give_int32(env, -EAGAIN);
  }
  napi_add_env_cleanup_hook(env, clean_up, own);
  return give_int32(env, fd);
}

/* signal_watch(signal, on) -> 0 or -errno (EINVAL: there is none, or it can't be caught). Not twice
 * the same way.  sigaction(2) */
napi_value sys_signal_watch(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (!own) return give_int32(env, -EBADF);
  if (!is_number(arg[0])) return give_int32(env, -EINVAL);
  pthread_mutex_lock(&lock);
  bool watched = (atomic_load(&own->wanted) & bit(arg[0])) != 0;
  int result = 0;
  if (arg[1] && !watched) result = fault(FAULT_SIGACTION, -1, NULL) ? -1 : watch(arg[0]);
  if (!arg[1] && watched) result = unwatch(own, arg[0]);
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return give_result(env, result);
}

/* signal_take(counts: Int32Array(65)) -> how many different signals came since the last time; counts
 * has how often each did. */
napi_value sys_signal_take(napi_env env, napi_callback_info info) {
  napi_value args[1];
  uint8_t *data;
  if (!take_args(env, info, args, 1) || !take_bytes(env, args[0], 0, SIGNALS, &data)) return NULL;
  if (!own) return give_int32(env, -EBADF);
  int32_t counts[SIGNALS] = {0};
  int kinds = 0;
  uint64_t value;
  /* First the eventfd: what is counted after that makes it readable again. */
  if (read(atomic_load(&own->eventfd), &value, sizeof value) < 0) return give_int32(env, 0);
  for (int number = 1; number < SIGNALS; number++) {
    counts[number] = (int32_t)atomic_exchange(&own->counts[number], 0);
    kinds += counts[number] > 0;
  }
  memcpy(data, counts, sizeof counts);
  return give_int32(env, kinds);
}

/* signal_dispose(signal, disposition: default or ignore) -> 0 or -errno (EBUSY: it is watched).
 * signal(2) */
napi_value sys_signal_dispose(napi_env env, napi_callback_info info) {
  int32_t arg[2];
  if (!take_int32s(env, info, arg, 2)) return NULL;
  if (!is_number(arg[0])) return give_int32(env, -EINVAL);
  pthread_mutex_lock(&lock);
  int result = watchers[arg[0]] > 0                                                      ? -EBUSY
               : signal(arg[0], arg[1] == DISPOSITION_IGNORE ? SIG_IGN : SIG_DFL) == SIG_ERR ? -errno
                                                                                         : 0;
  pthread_mutex_unlock(&lock);
  return give_int32(env, result);
}

/* signal_disposition(signal) -> default, ignore or (ours) handler, or -errno. Handlers of Node's count as
 * the default: those of SIGINT and SIGTERM end the process, too.  sigaction(2) */
napi_value sys_signal_disposition(napi_env env, napi_callback_info info) {
  int32_t number;
  struct sigaction now;
  if (!take_int32s(env, info, &number, 1)) return NULL;
  if (sigaction(number, NULL, &now) < 0) return give_result(env, -1);
  bool is_ours = now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_signal;
  return give_int32(env, is_ours                       ? DISPOSITION_HANDLER
                         : now.sa_handler == SIG_IGN ? DISPOSITION_IGNORE
                                                     : DISPOSITION_DEFAULT);
}

/* signal_raise(signal) -> 0, or what raise returned; a handler has run by then.  raise(3) */
napi_value sys_signal_raise(napi_env env, napi_callback_info info) {
  int32_t number;
  if (!take_int32s(env, info, &number, 1)) return NULL;
  return give_int32(env, raise(number));
}

/* signal_abort() does not return. Node's own prints the stack of its native code first.  abort(3) */
napi_value sys_signal_abort(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  abort();
}

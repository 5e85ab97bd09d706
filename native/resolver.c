/* Names of hosts and services: getaddrinfo(3) and getnameinfo(3). They block, for many seconds when
 * a name server is silent, and can't be stopped. So they have threads of their own, which nothing
 * else waits for: made when a look-up finds none idle, gone after some seconds without work. A
 * look-up that is cancelled before its turn never begins; one that runs is left to run, no longer
 * counts as busy, and nobody hears of it. The threads are detached: the process ends without them.
 *
 * One lock guards everything that threads share. A request is on `waiting`, on `running` or on the
 * `done` list of its environment. */
#include "util.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "endpoint.h"
#include "fault.h"
#include "libc-service/client.h"

enum {
  MAX_BUSY = 32,      /* look-ups that run at once, beside cancelled ones */
  MAX_THREADS = 128,  /* with those */
  IDLE_SECONDS = 5,
  STACK_SIZE = 512 * 1024,
  MAX_ADDRESSES = 1024,
};

/* An environment (the main thread, a worker) that asks. */
struct asker {
  napi_env env;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  napi_ref callback;
  uv_async_t wake;
  struct request *done;
  int pending; /* on any list, and not cancelled; its own thread's business */
};

struct request {
  struct request *next;
  struct asker *asker; /* NULL: cancelled */
  int32_t id;
  bool reverse; /* getnameinfo */
  /* questions */
  char *host, *service; /* NULL: none */
  int flags, family, type;
  uint8_t endpoint[ENDPOINT_SIZE];
  /* answers */
  int32_t status; /* 0, an EAI_ (negative), or an errno */
  uint8_t *endpoints;
  int count;
  char *name, *service_name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct request *waiting, **waiting_end = &waiting, *running;
static int queued, busy, threads; /* requests waiting and running; threads alive */
static int abandoned; /* running for a cancelled request */
static int name_server_port; /* for tests: on 127.0.0.1, in place of those of resolv.conf */

static _Thread_local struct asker *asker = NULL; /* a thread has one environment */

static void free_request(struct request *r) {
  free(r->host);
  free(r->service);
  free(r->endpoints);
  free(r->name);
  free(r->service_name);
  free(r);
}

/* ── in threads of their own ─────────────────────────────────────────────────────────────────── */

static void use_name_server(int port) {
  if (!(_res.options & RES_INIT) && res_init() < 0) return;
  memset(&_res.nsaddr_list[0], 0, sizeof _res.nsaddr_list[0]);
  _res.nsaddr_list[0].sin_family = AF_INET;
  _res.nsaddr_list[0].sin_port = htons((uint16_t)port);
  _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  _res.nscount = 1;
#ifdef RES_NORELOAD
  _res.options |= RES_NORELOAD;
#endif
}

static void resolve(struct request *r) {
  struct addrinfo hints = {.ai_flags = r->flags, .ai_family = r->family, .ai_socktype = r->type};
  struct addrinfo *list = NULL;
  r->status = service_getaddrinfo(r->host, r->service, &hints, &list);
  if (r->status == EAI_SYSTEM) r->status = errno > 0 ? errno : EIO;
  if (r->status != 0) return;
  int count = 0;
  for (struct addrinfo *a = list; a && count < MAX_ADDRESSES; a = a->ai_next)
    count += a->ai_family == AF_INET || a->ai_family == AF_INET6;
  r->endpoints = calloc((size_t)count + 1, ENDPOINT_SIZE);
  if (list && list->ai_canonname) r->name = strdup(list->ai_canonname);
  if (!r->endpoints || (list && list->ai_canonname && !r->name)) {
    r->status = ENOMEM;
  } else {
    for (struct addrinfo *a = list; a && r->count < count; a = a->ai_next) {
      struct sockaddr_storage address = {0};
      if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
      memcpy(&address, a->ai_addr, a->ai_addrlen);
      pack_endpoint(&address, r->endpoints + ENDPOINT_SIZE * r->count++);
    }
  }
  freeaddrinfo(list);
}

static void resolve_reverse(struct request *r) {
  struct sockaddr_storage address;
  char name[NI_MAXHOST], service[NI_MAXSERV];
  socklen_t size = unpack_endpoint(r->endpoint, &address);
  r->status = getnameinfo((struct sockaddr *)&address, size, name, sizeof name, service,
                          sizeof service, r->flags);
  if (r->status == EAI_SYSTEM) r->status = errno > 0 ? errno : EIO;
  if (r->status != 0) return;
  r->name = strdup(name);
  r->service_name = strdup(service);
  if (!r->name || !r->service_name) r->status = ENOMEM;
}

static struct request *take_waiting(void) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += IDLE_SECONDS;
  while (!waiting && pthread_cond_timedwait(&work, &lock, &until) == 0) {}
  struct request *r = waiting;
  if (!r) return NULL;
  queued--;
  busy++;
  waiting = r->next;
  if (!waiting) waiting_end = &waiting;
  r->next = running;
  running = r;
  return r;
}

static void finish(struct request *r) {
  struct request **link = &running;
  while (*link != r) link = &(*link)->next;
  *link = r->next;
  busy--;
  if (!r->asker) {
    abandoned--;
    free_request(r);
    return;
  }
  struct request **end = &r->asker->done;
  while (*end) end = &(*end)->next;
  *end = r;
  r->next = NULL;
  uv_async_send(&r->asker->wake);
}

static void *run_thread(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (struct request *r; (r = take_waiting());) {
    int port = name_server_port;
    pthread_mutex_unlock(&lock);
    if (port) use_name_server(port);
    if (r->reverse) resolve_reverse(r);
    else resolve(r);
    pthread_mutex_lock(&lock);
    finish(r);
  }
  threads--;
  pthread_mutex_unlock(&lock);
  return NULL;
}

/* With the lock held. Signals are for the threads that want them. */
static int start_thread(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return ENOMEM;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, &attributes, run_thread, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (error == 0) threads++;
  return error;
}

/* A forked child has none of the threads, and nothing that they hold. */
static void after_fork(void) {
  pthread_mutex_init(&lock, NULL);
  waiting = running = NULL;
  waiting_end = &waiting;
  queued = busy = threads = abandoned = 0;
}

static void prepare(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&work, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_atfork(NULL, NULL, after_fork);
}

/* ── in the asker's thread ───────────────────────────────────────────────────────────────────── */

static void one_less(struct asker *a) {
  if (--a->pending == 0) uv_unref((uv_handle_t *)&a->wake);
}

static napi_value text_or_undefined(napi_env env, const char *text) {
  napi_value value = NULL;
  if (!text) napi_get_undefined(env, &value);
  else napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

static void deliver(struct asker *a, struct request *r) {
  napi_handle_scope scope;
  napi_value callback, receiver, error, args[5];
  if (napi_open_handle_scope(a->env, &scope) != napi_ok) return;
  args[0] = give_int32(a->env, r->id);
  args[1] = give_int32(a->env, r->status);
  if (napi_create_buffer_copy(a->env, (size_t)(r->count * ENDPOINT_SIZE),
                              r->endpoints ? r->endpoints : r->endpoint, NULL, &args[2]) !=
      napi_ok)
    napi_get_undefined(a->env, &args[2]);
  args[3] = text_or_undefined(a->env, r->name);
  args[4] = text_or_undefined(a->env, r->service_name);
  if (napi_get_reference_value(a->env, a->callback, &callback) == napi_ok &&
      napi_get_global(a->env, &receiver) == napi_ok &&
      napi_make_callback(a->env, a->context, receiver, callback, 5, args, NULL) ==
        napi_pending_exception &&
      napi_get_and_clear_last_exception(a->env, &error) == napi_ok)
    napi_fatal_exception(a->env, error);
  napi_close_handle_scope(a->env, scope);
}

static void on_wake(uv_async_t *handle) {
  struct asker *a = handle->data;
  for (;;) {
    pthread_mutex_lock(&lock);
    struct request *r = a->done;
    if (r) a->done = r->next;
    pthread_mutex_unlock(&lock);
    if (!r) return;
    one_less(a);
    deliver(a, r);
    free_request(r);
    if (asker != a) return; /* the environment has ended meanwhile */
  }
}

static void after_close(uv_handle_t *handle) {
  struct asker *a = handle->data;
  napi_remove_async_cleanup_hook(a->cleanup);
  free(a);
}

/* With the lock held: forget the requests of `a`, or only the one with this id (0: all). */
static int drop(struct asker *a, int32_t id) {
  int dropped = 0;
  for (struct request **link = &waiting; *link;) {
    struct request *r = *link;
    if (r->asker != a || (id && r->id != id)) {
      link = &r->next;
      continue;
    }
    *link = r->next;
    if (waiting_end == &r->next) waiting_end = link;
    free_request(r);
    queued--;
    dropped++;
  }
  for (struct request *r = running; r; r = r->next) {
    if (r->asker != a || (id && r->id != id)) continue;
    r->asker = NULL;
    abandoned++;
    dropped++;
  }
  return dropped;
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *data) {
  struct asker *a = data;
  (void)hook;
  asker = NULL;
  pthread_mutex_lock(&lock);
  drop(a, 0);
  struct request *done = a->done;
  a->done = NULL;
  pthread_mutex_unlock(&lock);
  while (done) {
    struct request *next = done->next;
    free_request(done);
    done = next;
  }
  napi_delete_reference(a->env, a->callback);
  napi_async_destroy(a->env, a->context);
  uv_close((uv_handle_t *)&a->wake, after_close);
}

/* resolver_open(callback: (id, status, endpoints: Buffer, name?, service?) => void) -> 0 or -errno.
 * Once a thread (EALREADY). The status is 0, an EAI_ (negative) or an errno. Of a host, `endpoints`
 * has 24 bytes for each (socket.c) and `name` is the canonical one, if asked for. */
napi_value sys_resolver_open(napi_env env, napi_callback_info info) {
  napi_value callback, name;
  uv_loop_t *loop;
  if (!take_args(env, info, &callback, 1)) return NULL;
  if (asker) return give_int32(env, -EALREADY);
  pthread_once(&once, prepare);
  struct asker *a = calloc(1, sizeof *a);
  if (!a) return give_int32(env, -ENOMEM);
  a->env = env;
  napi_create_string_latin1(env, "perilune:resolver", NAPI_AUTO_LENGTH, &name);
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_async_init(env, NULL, name, &a->context) != napi_ok ||
      napi_create_reference(env, callback, 1, &a->callback) != napi_ok ||
      uv_async_init(loop, &a->wake, on_wake) != 0) {
    free(a);
    return give_int32(env, -ENOMEM);
  }
  a->wake.data = a;
  uv_unref((uv_handle_t *)&a->wake);
  napi_add_async_cleanup_hook(env, clean_up, a, &a->cleanup);
  asker = a;
  return give_int32(env, 0);
}

/* @returns 0 or -errno; the request is gone when it fails */
static int32_t ask(struct request *r) {
  int error = 0;
  pthread_mutex_lock(&lock);
  if (threads - busy <= queued && threads - abandoned < MAX_BUSY && threads < MAX_THREADS)
    error = start_thread();
  if (error != 0 && threads - abandoned > 0) error = 0; /* it will have its turn */
  if (error == 0) {
    *waiting_end = r;
    waiting_end = &r->next;
    queued++;
    if (r->asker->pending++ == 0) uv_ref((uv_handle_t *)&r->asker->wake);
    pthread_cond_signal(&work);
  }
  pthread_mutex_unlock(&lock);
  if (error != 0) free_request(r);
  return -error;
}

/* A string argument as C's, or NULL with *ok for one that isn't a string. */
static char *take_text(napi_env env, napi_value value, bool *ok) {
  size_t length = 0;
  if (napi_get_value_string_latin1(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (!text || napi_get_value_string_latin1(env, value, text, length + 1, &length) != napi_ok)
    *ok = false;
  return text;
}

/* getaddrinfo(id, host: string?, service: string?, flags, family: 0, 4 or 6, type: SOCK_)
 * -> 0 or -errno; the callback has the rest.  getaddrinfo(3) */
napi_value sys_getaddrinfo(napi_env env, napi_callback_info info) {
  napi_value args[6];
  int32_t id, flags, family, type;
  bool ok = true;
  if (!take_args(env, info, args, 6) || !take_int32(env, args[0], &id) ||
      !take_int32(env, args[3], &flags) || !take_int32(env, args[4], &family) ||
      !take_int32(env, args[5], &type))
    return NULL;
  if (!asker) return give_int32(env, -EBADF);
  if (fault(FAULT_GETADDRINFO, -1, NULL)) return give_result(env, -1);
  struct request *r = calloc(1, sizeof *r);
  if (!r) return give_int32(env, -ENOMEM);
  r->asker = asker;
  r->id = id;
  r->host = take_text(env, args[1], &ok);
  r->service = take_text(env, args[2], &ok);
  r->flags = flags;
  r->family = family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
  r->type = type;
  if (ok) return give_int32(env, ask(r));
  free_request(r);
  return give_int32(env, -ENOMEM);
}

/* getnameinfo(id, endpoint, flags) -> 0 or -errno; the callback has the rest.  getnameinfo(3) */
napi_value sys_getnameinfo(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int32_t id, flags;
  uint8_t *endpoint;
  if (!take_args(env, info, args, 3) || !take_int32(env, args[0], &id) ||
      !take_bytes(env, args[1], 0, ENDPOINT_SIZE, &endpoint) || !take_int32(env, args[2], &flags))
    return NULL;
  if (!asker) return give_int32(env, -EBADF);
  if (fault(FAULT_GETNAMEINFO, -1, NULL)) return give_result(env, -1);
  struct request *r = calloc(1, sizeof *r);
  if (!r) return give_int32(env, -ENOMEM);
  r->asker = asker;
  r->id = id;
  r->reverse = true;
  r->flags = flags;
  memcpy(r->endpoint, endpoint, ENDPOINT_SIZE);
  return give_int32(env, ask(r));
}

/* resolver_cancel(id) -> 1: the callback won't be called; 0: the look-up is over. */
napi_value sys_resolver_cancel(napi_env env, napi_callback_info info) {
  int32_t id;
  if (!take_int32s(env, info, &id, 1)) return NULL;
  if (!asker) return give_int32(env, 0);
  pthread_mutex_lock(&lock);
  int dropped = drop(asker, id);
  pthread_mutex_unlock(&lock);
  if (dropped) one_less(asker);
  return give_int32(env, dropped);
}

/* inject_name_server(port) -> 0: look-ups ask 127.0.0.1:port and nobody else, of the whole process
 * and until it ends. For tests. */
napi_value sys_inject_name_server(napi_env env, napi_callback_info info) {
  int32_t port;
  if (!take_int32s(env, info, &port, 1)) return NULL;
  pthread_mutex_lock(&lock);
  name_server_port = port;
  pthread_mutex_unlock(&lock);
  return give_int32(env, 0);
}

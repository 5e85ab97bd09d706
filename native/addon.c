/* The addon's surface: name -> function. Each file wraps system calls and gives their result, or
 * -errno; nothing here has an opinion. A new file adds its functions to the list. */
#include "util.h"

#define EVERYWHERE(X) \
  /* fd.c */ \
  X(read) X(write) X(close) X(close_at_once) X(dup) X(get_status_flags) X(set_status_flags) \
  X(set_close_on_exec) X(pipe2) X(isatty) X(poll) X(bytes_readable) X(unsent) X(ignore_signal) \
  X(dup2) \
  /* below */ \
  X(results_memory) \
  /* fault.c, for tests */ \
  X(inject_fault)

#define OF_FREEBSD(X) \
  /* freebsd.c */ \
  X(cap_rights_limit) X(cap_rights_get) X(cap_ioctls_limit) X(cap_ioctls_get) X(cap_fcntls_limit) \
  X(cap_fcntls_get) X(caph_limit_stdio) X(cap_enter) X(cap_getmode) X(procctl_no_new_privs) \
  X(jail_parameter) X(jail_parameters) X(jail_set) X(jail_get) X(jail_remove) X(jail_attach) \
  X(pd_spawn) X(pd_wait) X(pd_kill)

#define OF_LINUX(X) \
  /* fd.c */ \
  X(preadv2_nowait) X(kcmp_file) X(eventfd) \
  /* socket.c */ \
  X(socket) X(bind) X(connect) X(getsockname) X(getpeername) X(listen) X(accept4) X(shutdown) \
  X(recv) X(send) X(recvfrom) X(sendto) X(set_membership) X(set_multicast_interface) \
  X(setsockopt_int) X(getsockopt_int) X(set_linger) X(get_linger) X(sockatmark) \
  X(if_nametoindex) X(if_indextoname) \
  /* reactor.c */ \
  X(reactor_open) X(reactor_wait) X(reactor_wait_reading) X(reactor_ref) X(reactor_add) X(reactor_remove) X(reactor_set_level) \
  /* resolver.c */ \
  X(resolver_open) X(getaddrinfo) X(getnameinfo) X(resolver_cancel) X(inject_name_server) \
  /* unix.c */ \
  X(bind_unix) X(connect_unix) X(getsockname_unix) X(getpeername_unix) X(socketpair) \
  X(recvmsg_unix) X(sendmsg_unix) X(receive_packet) X(send_packet) X(discard_packets) X(get_peer_credentials) X(get_peer_security) \
  /* termios.c */ \
  X(get_line_settings) X(set_line_setting) X(tcsendbreak) X(tcgetpgrp) X(tcsetpgrp) \
  X(openpty) X(get_terminal_mode) X(set_terminal_mode) X(get_window_size) X(set_window_size) \
  /* file.c */ \
  X(pread_nowait) X(pwrite_nowait) X(lseek) X(flock) X(openat2) \
  /* filesystem.c */ \
  X(fstatat) X(statfs) X(fstatfs_type) X(getdents64) X(seek_directory) X(readlinkat) X(realpath) X(getcwd) X(fchdir) X(chroot) \
  X(mkdirat) X(mknodat) X(unlinkat) X(linkat) X(renameat2) X(symlinkat) X(fchmodat) X(fchmod) X(umask) \
  X(fchownat) X(utimensat) X(truncate) X(ftruncate) X(flistxattr) X(fgetxattr) X(fsetxattr) \
  X(getxattr) X(setxattr) X(ficlone) X(copy_file_range) \
  /* datagrams.c */ \
  X(receive_ahead) \
  /* transfer.c */ \
  X(transfer_open) X(transfer) X(read_socket) X(write_socket) \
  /* uring.c */ \
  X(uring_open) X(uring_read) X(uring_write) X(uring_send) X(uring_collect) \
  /* rlimit.c */ \
  X(getrlimit) X(setrlimit) \
  /* spawn.c */ \
  X(spawn) X(waitid_pidfd) X(pidfd_send_signal) \
  /* signal.c */ \
  X(signal_open) X(signal_watch) X(signal_take) X(signal_dispose) X(signal_disposition) \
  X(signal_raise) \
  X(signal_abort) \
  /* confine.c */ \
  X(capget) X(capset) X(prctl_get) X(prctl_all) \
  X(landlock_create_ruleset) X(landlock_add_rule) X(landlock_restrict_self) \
  /* process.c */ \
  X(getresuid) X(getresgid) X(setresuid) X(setresgid) X(getgroups) X(setgroups) X(getpgid) \
  X(setpgid) X(getsid) X(setsid) X(kill) X(ld_library_directories) \
  /* init_script.c */ \
  X(init_script_module) X(init_script_begin) X(init_script_call) X(init_script_wipe) \
  X(init_script_deadline) \
  /* supervisor.c */ \
  X(start_supervisor) X(waitpid_nohang) X(memfd_of) X(supervise) X(take_task) X(tell_touched) \
  X(allow_signals) X(fork_from_init) X(enter_actor) X(set_environment) X(give_back_bytes) X(exit_now) X(getpid) \
  /* walls.c */ \
  X(set_no_new_privs) X(seccomp_set_mode_filter) X(seccomp_available) X(landlock_abi) \
  X(landlock_restrict_all) X(drop_capabilities) X(empty_root) X(new_session) \
  /* libc_service.c */ \
  X(service_begin) \
  /* digest.c: lazily bound, as tls.c */ \
  X(sha256) X(hmac_sha256) X(random_bytes) \
  /* v8.c */ \
  X(set_v8_flags) X(alias_of) \
  /* tls.c: only when it is required */ \
  X(tls_open)

#ifdef __FreeBSD__
#define FUNCTIONS(X) EVERYWHERE(X) OF_FREEBSD(X)
#else
#define FUNCTIONS(X) EVERYWHERE(X) OF_LINUX(X)
#endif

#define DECLARE(name) napi_value sys_##name(napi_env, napi_callback_info);
FUNCTIONS(DECLARE)

#define ENTRY(name) {#name, sys_##name},
static const struct {
  const char *name;
  napi_callback call;
} functions[] = {FUNCTIONS(ENTRY)};

static int32_t nowhere[1]; /* before results_memory */
_Thread_local int32_t *results = nowhere;
static _Thread_local napi_ref results_ref = NULL; /* an environment has one thread, and ends with it */

static void forget_results(void *data) {
  (void)data;
  results = nowhere;
  results_ref = NULL;
}

/* results_memory() -> Int32Array: what give_quickly writes to, in this thread. */
napi_value sys_results_memory(napi_env env, napi_callback_info info) {
  napi_value buffer, array = NULL;
  void *data = NULL;
  (void)info;
  if (results_ref) {
    napi_get_reference_value(env, results_ref, &array);
    return array;
  }
  if (napi_create_arraybuffer(env, sizeof *results, &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_int32_array, 1, buffer, 0, &array) != napi_ok ||
      napi_add_env_cleanup_hook(env, forget_results, NULL) != napi_ok ||
      napi_create_reference(env, array, 1, &results_ref) != napi_ok)
    return NULL;
  results = data;
  return array;
}

NAPI_MODULE_INIT() {
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL,
                             &function) != napi_ok ||
        napi_set_named_property(env, exports, functions[i].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}

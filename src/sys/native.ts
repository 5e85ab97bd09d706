/**
 * The native addon: the only file that loads it. Everything else in this folder wraps its functions.
 *
 * Loading waits until a function is needed, and failing to load is no error before that: without the
 * addon `io/` falls back to Node's own modules.
 */

/** A file descriptor: an int32 ≥ 0. */
export type Fd = number;

/**
 * What is called for each message, so often that its result isn't returned: it is in `results[0]`. An object of its
 * own, since V8 looks names up in a table where an object has as many as the addon.
 */
export interface Transfers {
  read(fd: Fd, bytes: Uint8Array, offset: number, length: number): void;
  write(fd: Fd, bytes: Uint8Array, offset: number, length: number): void;
  recv(fd: Fd, bytes: Uint8Array, offset: number, length: number, flags: number): void;
  receive_packet(fd: Fd, bytes: Uint8Array, out: Int32Array): void;
  send_packet(fd: Fd, bytes: Uint8Array, length: number): void;
  send(fd: Fd, bytes: Uint8Array, offset: number, length: number, flags: number): void;
  recvfrom(
    fd: Fd,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    endpoint: Uint8Array,
  ): void;
  sendto(
    fd: Fd,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    endpoint: Uint8Array,
  ): void;
  receive_ahead(fd: Fd, bytes: Uint8Array, offset: number, length: number, ahead: Uint8Array): void;
  pread_nowait(fd: Fd, bytes: Uint8Array, offset: number, length: number, at: number): void;
  pwrite_nowait(fd: Fd, bytes: Uint8Array, offset: number, length: number, at: number): void;
  read_socket(fd: Fd, bytes: Uint8Array, offset: number, length: number): void;
  write_socket(fd: Fd, bytes: Uint8Array, offset: number, length: number): void;
  reactor_wait(): void;
  reactor_wait_reading(fd: Fd, bytes: Uint8Array, offset: number, length: number): void;
  // Once for each connection, or for each batch:
  accept4(fd: Fd): void;
  close(fd: Fd): void;
  reactor_add(fd: Fd, generation: number): void;
  transfer(count: number, calls: Int32Array, ...buffers: readonly (Uint8Array | null)[]): void;
}

/**
 * The addon's functions, named as in native/. Numbers are int32; a negative result is -errno.
 * Bad arguments throw TypeError or RangeError, which is always a bug of ours.
 */
export interface Native extends Transfers {
  /** Where the results of `Transfers` are, in this thread. */
  results_memory(): Int32Array;
  preadv2_nowait(fd: Fd, bytes: Uint8Array, offset: number, length: number): number;
  close_at_once(fd: Fd): number;
  dup(fd: Fd, lowest: number): number;
  dup2(fd: Fd, number: Fd): number;
  get_status_flags(fd: Fd): number;
  set_status_flags(fd: Fd, flags: number): number;
  set_close_on_exec(fd: Fd, on: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  eventfd(): number;
  isatty(fd: Fd): number;
  poll(fd: Fd, events: number, milliseconds: number): number;
  bytes_readable(fd: Fd): number;
  unsent(fd: Fd): number;
  ignore_signal(signal: number): number;
  kcmp_file(a: Fd, b: Fd): number;

  socket(domain: number, type: number, protocol: number): number;
  bind(fd: Fd, endpoint: Uint8Array): number;
  connect(fd: Fd, endpoint: Uint8Array): number;
  getsockname(fd: Fd, endpoint: Uint8Array): number;
  getpeername(fd: Fd, endpoint: Uint8Array): number;
  listen(fd: Fd, backlog: number): number;
  shutdown(fd: Fd, how: number): number;
  set_membership(fd: Fd, endpoint: Uint8Array, join: number): number;
  set_multicast_interface(fd: Fd, endpoint: Uint8Array): number;
  setsockopt_int(fd: Fd, level: number, option: number, value: number): number;
  getsockopt_int(fd: Fd, level: number, option: number, value: Int32Array): number;
  set_linger(fd: Fd, on: number, seconds: number): number;
  get_linger(fd: Fd): number;
  sockatmark(fd: Fd): number;
  if_nametoindex(name: string): number;
  if_indextoname(index: number): string | number;

  bind_unix(fd: Fd, path: Uint8Array, length: number): number;
  connect_unix(fd: Fd, path: Uint8Array, length: number): number;
  getsockname_unix(fd: Fd, path: Uint8Array): number;
  getpeername_unix(fd: Fd, path: Uint8Array): number;
  socketpair(type: number, ends: Int32Array): number;
  recvmsg_unix(
    fd: Fd,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    path: Uint8Array,
    out: Int32Array,
  ): number;
  sendmsg_unix(
    fd: Fd,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
    path: Uint8Array,
    pathLength: number,
    fds: Int32Array,
    count: number,
  ): number;
  discard_packets(fd: Fd, questions: number): number;
  get_peer_credentials(fd: Fd, out: Int32Array): number;
  get_peer_security(fd: Fd, bytes: Uint8Array): number;

  get_line_settings(fd: Fd, out: Int32Array): number;
  set_line_setting(fd: Fd, which: number, value: number): number;
  tcsendbreak(fd: Fd): number;
  tcgetpgrp(fd: Fd): number;
  tcsetpgrp(fd: Fd, group: number): number;
  openpty(ends: Int32Array): number;
  get_terminal_mode(fd: Fd, mode: Uint8Array): number;
  set_terminal_mode(fd: Fd, kind: number, mode: Uint8Array): number;
  get_window_size(fd: Fd, out: Int32Array): number;
  set_window_size(fd: Fd, columns: number, rows: number): number;

  lseek(fd: Fd, offset: number, whence: number): number;
  flock(fd: Fd, operation: number): number;
  openat2(fd: Fd, path: string, flags: number, mode: number, resolve: number): number;

  fstatat(directory: Fd, path: string, flags: number, out: Float64Array): number;
  statfs(path: string, out: Float64Array): number;
  fstatfs_type(fd: Fd): number;
  getdents64(fd: Fd, bytes: Uint8Array, length: number): number;
  seek_directory(fd: Fd, high: number, low: number): number;
  readlinkat(directory: Fd, path: string): string | number;
  realpath(path: string): string | number;
  getcwd(): string | number;
  fchdir(fd: Fd): number;
  chroot(path: string): number;
  mkdirat(directory: Fd, path: string, mode: number): number;
  mknodat(directory: Fd, path: string, mode: number, device: number): number;
  unlinkat(directory: Fd, path: string, flags: number): number;
  linkat(from: Fd, path: string, to: Fd, newPath: string, flags: number): number;
  renameat2(from: Fd, path: string, to: Fd, newPath: string, flags: number): number;
  symlinkat(target: string, directory: Fd, path: string): number;
  fchmodat(directory: Fd, path: string, mode: number, flags: number): number;
  fchmod(fd: Fd, mode: number): number;
  umask(mask: number): number;
  fchownat(directory: Fd, path: string, owner: number, group: number, flags: number): number;
  utimensat(directory: Fd, path: string, times: Float64Array, flags: number): number;
  truncate(path: string, length: number): number;
  ftruncate(fd: Fd, length: number): number;
  flistxattr(fd: Fd, bytes: Uint8Array, length: number): number;
  fgetxattr(fd: Fd, name: string, bytes: Uint8Array, length: number): number;
  fsetxattr(fd: Fd, name: string, bytes: Uint8Array, length: number): number;
  getxattr(path: string, name: string, bytes: Uint8Array, length: number): number;
  setxattr(path: string, name: string, bytes: Uint8Array, length: number): number;
  ficlone(to: Fd, from: Fd): number;
  copy_file_range(from: Fd, to: Fd, length: number): number;

  transfer_open(): number;

  uring_open(done: (count: number) => void, shared: Int32Array): number;
  uring_read(fd: Fd, length: number, position: number, apart: boolean): number;
  uring_write(
    fd: Fd,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    apart: boolean,
  ): number;
  uring_send(): number;
  uring_collect(slot: number, bytes: Uint8Array, offset: number, length: number): number;

  reactor_open(onEvents: () => void, shared: Int32Array): number;
  reactor_ref(): number;
  reactor_remove(fd: Fd): number;
  reactor_set_level(fd: Fd, on: number): number;

  getrlimit(resource: number, limits: Float64Array): number;
  setrlimit(resource: number, limits: Float64Array): number;

  spawn(
    numbers: Int32Array,
    strings: Uint8Array,
    groups: Uint32Array,
    limits: Float64Array,
    filter: Uint8Array,
    out: Int32Array,
  ): number;
  waitid_pidfd(pidfd: Fd, options: number, status: Int32Array): number;
  pidfd_send_signal(pidfd: Fd, signal: number): number;

  signal_open(): number;
  signal_watch(signal: number, on: number): number;
  signal_take(counts: Int32Array): number;
  signal_dispose(signal: number, disposition: number): number;
  signal_disposition(signal: number): number;
  signal_raise(signal: number): number;
  signal_abort(): never;

  capget(pid: number, sets: Uint32Array): number;
  capset(sets: Uint32Array): number;
  prctl_get(option: number, a: number, b: number): number;
  prctl_all(option: number, a: number, b: number): number;
  landlock_create_ruleset(files: number, net: number, scopes: number, flags: number): number;
  landlock_add_rule(ruleset: Fd, type: number, access: number, what: number): number;
  landlock_restrict_self(ruleset: Fd): number;

  getresuid(ids: Uint32Array): number;
  getresgid(ids: Uint32Array): number;
  setresuid(ids: Uint32Array): number;
  setresgid(ids: Uint32Array): number;
  getgroups(ids: Uint32Array): number;
  setgroups(ids: Uint32Array): number;
  getpgid(pid: number): number;
  setpgid(pid: number, group: number): number;
  getsid(pid: number): number;
  setsid(): number;
  kill(pid: number, signal: number): number;
  ld_library_directories(): string[];

  resolver_open(callback: ResolverCallback): number;
  getaddrinfo(
    id: number,
    host: string | undefined,
    service: string | undefined,
    flags: number,
    family: number,
    type: number,
  ): number;
  getnameinfo(id: number, endpoint: Uint8Array, flags: number): number;
  resolver_cancel(id: number): number;
  inject_name_server(port: number): number;

  /** native/digest.c; only in a Node that has OpenSSL. */
  sha256(parts: readonly Uint8Array[], digest: Uint8Array): number;
  hmac_sha256(key: Uint8Array, parts: readonly Uint8Array[], digest: Uint8Array): number;
  random_bytes(bytes: Uint8Array, count: number): number;

  set_v8_flags(flags: string): number;
  alias_of(bytes: Uint8Array): ArrayBuffer | undefined;

  /** native/tls.c; -errno when there is none. Typed in sys/tls.ts. */
  tls_open(status: Float64Array): unknown;

  init_script_module(): ArrayBuffer;
  init_script_begin(memory: ArrayBuffer): number;
  init_script_call(call: number, at: number): number;
  init_script_wipe(): number;
  init_script_deadline(milliseconds: number): number;
  start_supervisor(argv: readonly string[], environment: readonly string[], control: Fd): number;
  waitpid_nohang(pid: number): number;
  memfd_of(bytes: Uint8Array, length: number): number;
  supervise(body: Uint8Array, out: Int32Array): number;
  take_task(body: Uint8Array, out: Int32Array): number;
  tell_touched(isEnd: 0 | 1): void;
  allow_signals(): void;
  fork_from_init(): number;
  enter_actor(): number;
  set_environment(list: Uint8Array, length: number): number;
  give_back_bytes(bytes: Uint8Array, length: number): number;
  exit_now(code: number): number;
  getpid(): number;

  service_begin(fd: Fd): number;

  set_no_new_privs(): number;
  seccomp_set_mode_filter(filter: Uint8Array, length: number): number;
  seccomp_available(): number;
  landlock_abi(): number;
  landlock_restrict_all(files: number, net: number, scoped: number): number;
  drop_capabilities(): number;
  empty_root(): number;
  new_session(): number;

  inject_fault(call: string, errno: number, limit: number, skip: number, times: number): number;
}

/** What the addon has on FreeBSD only: native/freebsd.c. Results are -errno of FreeBSD's: see `okFreeBsd`. */
export interface FreeBsd {
  cap_rights_limit(fd: Fd, rights: Uint8Array): number;
  cap_rights_get(fd: Fd, rights: Uint8Array): number;
  cap_ioctls_limit(fd: Fd, commands: BigUint64Array): number;
  cap_ioctls_get(fd: Fd, commands: BigUint64Array): number;
  cap_fcntls_limit(fd: Fd, rights: number): number;
  cap_fcntls_get(fd: Fd): number;
  caph_limit_stdio(): number;
  cap_enter(): number;
  cap_getmode(): number;
  procctl_no_new_privs(): number;
  jail_parameter(name: string, kind: Int32Array): number;
  jail_parameters(): string[] | number;
  jail_set(bytes: Uint8Array, parts: Int32Array, flags: number): number;
  jail_get(bytes: Uint8Array, parts: Int32Array, flags: number): number;
  jail_remove(jid: number): number;
  jail_attach(jid: number): number;
  pd_spawn(
    texts: Uint8Array,
    args: number,
    streams: Int32Array,
    daemon: number,
    out: Int32Array,
  ): number;
  pd_wait(descriptor: Fd, status: Int32Array): number;
  pd_kill(descriptor: Fd, signal: number): number;
}

/** @param status  0, an EAI_ (negative) or an errno */
export type ResolverCallback = (
  id: number,
  status: number,
  endpoints: Uint8Array,
  name: string | undefined,
  service: string | undefined,
) => void;

let loaded: Native | undefined;
let loadedTransfers: Transfers | undefined;
/** [0] is what the last of `Transfers` gave. */
export let results: Int32Array = new Int32Array(1);
let folder = '';
let failure: string | undefined;

/** Relative to this file (src/sys/), and to the bundle that it becomes a part of (dist/). */
const PLACES = ['../../build/Release/perilune.node', '../build/Release/perilune.node'];

function load(): Native | undefined {
  if (loaded || failure) return loaded;
  if (process.platform !== 'linux' && process.platform !== 'freebsd') {
    failure = `it is for Linux and FreeBSD, this is ${process.platform}`;
    return undefined;
  }
  for (const place of PLACES) {
    const module: { exports: unknown } = { exports: {} };
    try {
      const file = `${import.meta.dirname}/${place}`;
      process.dlopen(module, file);
      loaded = module.exports as Native;
      results = loaded.results_memory();
      loadedTransfers = onlyTransfers(loaded);
      folder = file.slice(0, file.lastIndexOf('/'));
      failure = undefined;
      return loaded;
    } catch (error) {
      const reason = (error as Error).message;
      if (!/No such file/.test(reason)) failure = reason;
    }
  }
  failure ??= 'it was not built';
  return undefined;
}

function onlyTransfers(addon: Native): Transfers {
  return {
    read: addon.read,
    write: addon.write,
    recv: addon.recv,
    receive_packet: addon.receive_packet,
    send_packet: addon.send_packet,
    send: addon.send,
    recvfrom: addon.recvfrom,
    sendto: addon.sendto,
    receive_ahead: addon.receive_ahead,
    pread_nowait: addon.pread_nowait,
    pwrite_nowait: addon.pwrite_nowait,
    read_socket: addon.read_socket,
    write_socket: addon.write_socket,
    reactor_wait: addon.reactor_wait,
    reactor_wait_reading: addon.reactor_wait_reading,
    accept4: addon.accept4,
    close: addon.close,
    reactor_add: addon.reactor_add,
    transfer: addon.transfer,
  };
}

/** `process` is a global that Node finds by a function: asked for with each socket that is made. */
const { platform } = process;

/** Whether the addon is there and loads, with all of `Native`: on FreeBSD it has little of that. */
export function nativeAvailable(): boolean {
  return load() !== undefined && platform !== 'freebsd';
}

/** Whether there are the calls of `freebsd()`, and of `native()` those of native/fd.c. */
export function freebsdAvailable(): boolean {
  return platform === 'freebsd' && load() !== undefined;
}

/** The addon as it is there. @throws Error  when it can't be loaded: ask `freebsdAvailable` first */
export function freebsd(): FreeBsd {
  return native() as unknown as FreeBsd;
}

/** A library that is built with it, and may be missing. */
export function builtBeside(name: string, extension = 'node'): string {
  native();
  return `${folder}/${name}.${extension}`;
}

/** Why the addon can't be loaded; undefined when it can. */
export function nativeFailure(): string | undefined {
  load();
  return failure;
}

/**
 * The addon.
 * @throws Error  when it can't be loaded: ask `nativeAvailable` first where that is expected
 */
export function native(): Native {
  return loaded ?? loadOrThrow();
}

function loadOrThrow(): Native {
  const addon = load();
  if (addon) return addon;
  throw new Error(`perilune: the native addon can't be loaded (${failure}): run 'npm run build'`);
}

/** Those of it whose result is in `results[0]`. @throws Error  as `native` */
export function transfers(): Transfers {
  return loadedTransfers ?? loadOrThrow();
}

/** Objects of type `directory_handle`, as who asks through them has them. They are made by `directory_handle`, and received. */
import { currentIo } from '../../actors/current-io.ts';
import { ask, DirectoryHandle } from '../../actors/directory-handle.ts';
import { newFd } from '../../actors/file-descriptor.ts';
import { FilePath } from '../../actors/modules.ts';
import {
  APPEND,
  CREATE,
  DIRECTORY,
  decodeFacts,
  decodeList,
  type Entry,
  EXCLUSIVE,
  LIST,
  MAKE,
  MAX_PATH,
  NO_FOLLOW,
  OPEN,
  type Question,
  READ_ONLY,
  READ_WRITE,
  REMOVE,
  STAT,
  SYNC,
  TEMPORARY,
  TRUNCATE,
  WRITE_ONLY,
} from '../../io/directory-protocol.ts';
import { fileType } from '../../io/file-type.ts';
import { RESOLVE_FLAGS } from '../../io/openat.ts';
import { tryThen } from '../../runtime/call.ts';
import { LuaError } from '../../runtime/error.ts';
import { badArgument, codeError, isError, systemCategory } from '../../runtime/error-code.ts';
import { LuaTable, rawGet, rawLength, tableOf } from '../../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { errnoNumber } from '../../sys/errno.ts';
import { luaType } from '../define.ts';
import { modifiedAt } from './clock.ts';

const FLAGS: Readonly<Record<string, number>> = {
  read_only: READ_ONLY,
  write_only: WRITE_ONLY,
  read_write: READ_WRITE,
  append: APPEND,
  create: CREATE,
  exclusive: EXCLUSIVE,
  truncate: TRUNCATE,
  sync_all_on_write: SYNC,
  directory: DIRECTORY,
  no_follow: NO_FOLLOW,
  temporary: TEMPORARY,
};

const MODE = 0o666;
const DIRECTORY_MODE = 0o777;

function checkName(v: LuaValue, position: number): string {
  const path = v instanceof FilePath ? v.path : v;
  if (typeof path !== 'string' || path.includes('\0') || path.length > MAX_PATH)
    throw badArgument(position);
  return path;
}

/** A list of names: flags, and how the path is walked. */
function checkFlagList(v: LuaValue, position: number): { flags: number; resolve: number } {
  if (!(v instanceof LuaTable)) throw badArgument(position);
  let flags = 0;
  let resolve = 0;
  for (let i = 1; i <= rawLength(v); i++) {
    const name = rawGet(v, i);
    if (typeof name !== 'string') throw badArgument(position);
    if (Object.hasOwn(FLAGS, name)) flags |= FLAGS[name]!;
    else if (Object.hasOwn(RESOLVE_FLAGS, name)) resolve |= RESOLVE_FLAGS[name]!;
    else throw badArgument(position);
  }
  if ((flags & 3) === 3) throw badArgument(position); // write_only and read_write
  return { flags, resolve };
}

function checkMode(v: LuaValue, position: number, otherwise: number): number {
  if (v === undefined) return otherwise;
  if (typeof v !== 'number' || !Number.isInteger(v) || v < 0 || v > 0o7777)
    throw badArgument(position);
  return v;
}

/** Who answers is no broker of ours. */
function nonsense(): never {
  throw codeError('EPROTO');
}

const START: Question['cookie'] = [0, 0];
const question = (what: number, path: string, more: Partial<Question> = {}): Question => ({
  what,
  path,
  flags: 0,
  mode: 0,
  resolve: 0,
  cookie: START,
  ...more,
});

function openat(self: DirectoryHandle, name: LuaValue, list: LuaValue, modeArg: LuaValue): Result {
  const path = checkName(name, 2);
  const how = checkFlagList(list, 3);
  const mode = checkMode(modeArg, 4, MODE);
  return ask(self, question(OPEN, path, { ...how, mode }), ({ carries, fd }) => {
    if (fd < 0) return nonsense();
    return carries === 'directory' ? new DirectoryHandle(fd, currentIo()) : newFd(fd);
  });
}

function stat(self: DirectoryHandle, name: LuaValue, list: LuaValue): Result {
  const path = checkName(name, 2);
  const how = list === undefined ? { flags: 0, resolve: 0 } : checkFlagList(list, 3);
  return ask(self, question(STAT, path, how), ({ body }) => {
    const facts = decodeFacts(body) ?? nonsense();
    return tableOf({
      type: fileType(facts.mode),
      mode: facts.mode & 0o7777,
      size: facts.size,
      hardlink_count: facts.links,
      last_write_time: modifiedAt(facts),
    });
  });
}

/** An iterator: name and type of an entry, one after the other. */
function list(self: DirectoryHandle, name: LuaValue): Result {
  const path = name === undefined ? '.' : checkName(name, 2);
  let known: Entry[] = [];
  let at = 0;
  let cookie = START;
  let isOver = false;
  const next: LuaFunction = (): Result => {
    while (at < known.length) {
      const entry = known[at++]!;
      if (entry.name !== '.' && entry.name !== '..')
        return [entry.name, fileType(entry.kind << 12)];
    }
    if (isOver) return NONE;
    return ask(self, question(LIST, path, { cookie }), ({ body }) => {
      known = decodeList(body) ?? nonsense();
      at = 0;
      isOver = known.length === 0;
      cookie = known.at(-1)?.cookie ?? cookie;
      return next();
    });
  };
  return next;
}

function createDirectory(self: DirectoryHandle, name: LuaValue, modeArg: LuaValue): Result {
  const path = checkName(name, 2);
  const mode = checkMode(modeArg, 3, DIRECTORY_MODE);
  return ask(self, question(MAKE, path, { mode }), () => NONE);
}

const isErrno = (thrown: unknown, name: string): boolean =>
  thrown instanceof LuaError && isError(thrown.value, systemCategory, errnoNumber(name)!);

/** A file, a link, or an empty directory. @returns whether it was there */
function remove(self: DirectoryHandle, name: LuaValue): Result {
  const path = checkName(name, 2);
  const attempt = (flags: number, fail: (thrown: unknown) => Result): Result =>
    tryThen(
      () => ask(self, question(REMOVE, path, { flags }), () => true),
      (r) => r,
      fail,
    );
  const missing = (thrown: unknown): Result => {
    if (isErrno(thrown, 'ENOENT')) return false;
    throw thrown;
  };
  return attempt(0, (thrown) =>
    isErrno(thrown, 'EISDIR') ? attempt(DIRECTORY, missing) : missing(thrown),
  );
}

luaType('directory_handle', DirectoryHandle, {
  methods: {
    openat,
    stat,
    list,
    create_directory: createDirectory,
    remove,
    close(self) {
      self.close();
      return NONE;
    },
  },
  properties: { type: () => 'directory', is_open: (self) => self.isOpen },
});

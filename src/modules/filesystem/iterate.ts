/** `directory_iterator`, `recursive_directory_iterator` and the entries that they give. */
import { currentIo } from '../../actors/current-io.ts';
import { FilePath } from '../../actors/modules.ts';
import { giveWay, isSliceOver } from '../../actors/slices.ts';
import { closeWithOwner } from '../../io/descriptor.ts';
import { type FileType, fileType } from '../../io/file-type.ts';
import { Walk } from '../../io/walk.ts';
import { suspendIn } from '../../runtime/call.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { LuaTable, rawGetString } from '../../runtime/table.ts';
import {
  type LuaFunction,
  type LuaValue,
  NONE,
  type Result,
  SUSPEND,
  Userdata,
} from '../../runtime/value.ts';
import { luaType } from '../define.ts';
import { modifiedAt } from './clock.ts';
import { genericError, onPaths } from './failing.ts';
import { checkPath } from './path.ts';
import { FileStatus, lstat, sizeOf, stat } from './status.ts';

class DirectoryEntry extends Userdata {
  private readonly prefix: string;
  private readonly name: string;
  private readonly listed: FileType;

  constructor(prefix: string, name: string, listed: FileType) {
    super();
    this.prefix = prefix;
    this.name = name;
    this.listed = listed;
  }

  get path(): string {
    return this.prefix + this.name;
  }

  /** As the directory has it, which needs no look at the file. */
  get type(): FileType {
    return this.listed === 'unknown' ? fileType(lstat(this.path).mode) : this.listed;
  }
}

const look =
  <T>(at: (path: string) => T) =>
  ({ path }: DirectoryEntry): T =>
    onPaths(() => at(path), path);
const linkCount = look((path) => stat(path).links);

luaType('filesystem.directory_entry', DirectoryEntry, {
  methods: {
    refresh(self) {
      look(lstat)(self);
      return NONE;
    },
  },
  properties: {
    path: (self) => new FilePath(self.path),
    type: (self) => onPaths(() => self.type, self.path),
    file_size: look((path) => sizeOf(stat(path))),
    hardlink_count: linkCount,
    hard_link_count: linkCount,
    last_write_time: look((path) => modifiedAt(stat(path))),
    status: look((path) => new FileStatus(stat(path))),
    symlink_status: look((path) => new FileStatus(lstat(path))),
  },
});

class Iteration extends Userdata {
  readonly walk: Walk;
  constructor(walk: Walk) {
    super();
    this.walk = walk;
  }
}

/** @returns what its function gives for an entry, or nothing at the end */
function step(walk: Walk, entry: (walk: Walk) => Result): Result {
  try {
    return walk.next() ? entry(walk) : NONE;
  } catch (error) {
    throw genericError(error, walk.failedPath);
  }
}

/** In front of what asks the kernel, the others may come first. */
function stepper(walk: Walk, entry: (walk: Walk) => Result): LuaFunction {
  return () => {
    if (walk.isExpensive && isSliceOver() && giveWay() === SUSPEND) {
      return suspendIn(() => step(walk, entry));
    }
    return step(walk, entry);
  };
}

const entryOf = ({ prefix, name, type }: Walk): DirectoryEntry =>
  new DirectoryEntry(prefix, name, type);
const entryAndDepth = (walk: Walk): Result => [entryOf(walk), walk.depth];

function option(options: LuaValue, name: string): boolean {
  if (options === undefined) return false;
  if (!(options instanceof LuaTable)) throw badArgument(2);
  const value = rawGetString(options, name);
  if (value === undefined) return false;
  if (typeof value !== 'boolean') throw badArgument(name);
  return value;
}

function begin(p: LuaValue, options: LuaValue, recursive: boolean): Walk {
  const path = checkPath(p, 1);
  const skipPermissionDenied = option(options, 'skip_permission_denied');
  const follow = recursive && option(options, 'follow_directory_symlink');
  const io = currentIo();
  return onPaths(() => new Walk(path, { skipPermissionDenied, follow, recursive }, io), path);
}

function checkRunning({ walk }: Iteration): Walk {
  if (walk.isOver) throw badArgument(1);
  return walk;
}

luaType('filesystem.recursive_directory_iterator', Iteration, {
  methods: {
    pop(self) {
      checkRunning(self).pop();
      return NONE;
    },
    disable_recursion_pending(self) {
      checkRunning(self).recursionPending = false;
      return NONE;
    },
    close(self) {
      self.walk.close();
      return NONE;
    },
  },
  properties: { recursion_pending: (self) => checkRunning(self).recursionPending },
});

export const iterators: Record<string, LuaFunction> = {
  directory_iterator(p, options) {
    const walk = begin(p, options, false);
    const next = stepper(walk, entryOf);
    closeWithOwner(next, walk);
    return next;
  },
  recursive_directory_iterator(p, options) {
    const walk = begin(p, options, true);
    const iteration = new Iteration(walk);
    const next = stepper(walk, entryAndDepth);
    closeWithOwner(next, walk);
    return [next, iteration];
  },
};

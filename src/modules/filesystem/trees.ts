/** `copy`, `copy_file` and `remove_all`: what takes long, in slices. */
import { runInSlices } from '../../actors/slices.ts';
import { PRESERVE_NOTHING, type Preserve } from '../../io/attributes.ts';
import { type CopyOptions, TreeCopy } from '../../io/tree-copy.ts';
import { TreeRemoval } from '../../io/tree-remove.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { LuaTable, rawGet, rawGetString, rawLength } from '../../runtime/table.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { genericError, needAddon, onPaths } from './failing.ts';
import { checkPath } from './path.ts';

type Names<T> = Readonly<Record<string, T>>;

const EXISTING: Names<CopyOptions['existing']> = {
  skip: 'skip',
  overwrite: 'overwrite',
  update: 'update',
};
const SYMLINKS: Names<CopyOptions['symlinks']> = { copy: 'copy', skip: 'skip' };
const WHAT: Names<CopyOptions['what']> = {
  directories_only: 'directories_only',
  create_symlinks: 'create_symlinks',
  create_hardlinks: 'create_hardlinks',
  create_hard_links: 'create_hardlinks',
};
const SPECIAL: Names<CopyOptions['special']> = { copy: 'copy', skip: 'skip' };

/** One of these names; undefined for nil. */
function pick<T>(value: LuaValue, names: Names<T>, arg: string | number): T | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !Object.hasOwn(names, value)) throw badArgument(arg);
  return names[value];
}

const PRESERVED = ['mode', 'owner', 'times', 'xattrs', 'links'] as const;

function preserved(value: LuaValue): Preserve | undefined {
  if (value === undefined) return undefined;
  if (value === 'all') {
    return { mode: true, owner: true, times: true, xattrs: true, links: true, lenient: true };
  }
  if (!(value instanceof LuaTable)) throw badArgument('preserve');
  const result: { -readonly [K in keyof Preserve]: boolean } = { ...PRESERVE_NOTHING };
  for (let i = 1; i <= rawLength(value); i++) {
    const name = PRESERVED.find((one) => one === rawGet(value, i));
    if (name === undefined) throw badArgument('preserve');
    result[name] = true;
  }
  return result;
}

function copyOptions(opts: LuaValue): CopyOptions {
  if (opts !== undefined && !(opts instanceof LuaTable)) throw badArgument(3);
  const get = (name: string): LuaValue =>
    opts === undefined ? undefined : rawGetString(opts, name);
  const recursive = get('recursive') ?? false;
  if (typeof recursive !== 'boolean') throw badArgument('recursive');
  const existing = pick(get('existing'), EXISTING, 'existing');
  const symlinks = pick(get('symlinks'), SYMLINKS, 'symlinks');
  const what = pick(get('copy'), WHAT, 'copy');
  const special = pick(get('special'), SPECIAL, 'special');
  const preserve = preserved(get('preserve'));
  return {
    existing: existing ?? 'fail',
    recursive,
    symlinks: symlinks ?? 'follow',
    what: what ?? 'content',
    special: special ?? 'fail',
    preserve: preserve ?? PRESERVE_NOTHING,
    isSet: [existing, symlinks, what, special, preserve].some((one) => one !== undefined),
    fileOnly: false,
  };
}

function fileOptions(opts: LuaValue): CopyOptions {
  const { existing, preserve } =
    typeof opts === 'string'
      ? { existing: pick(opts, EXISTING, 3)!, preserve: PRESERVE_NOTHING }
      : copyOptions(opts);
  return { ...copyOptions(undefined), existing, preserve, fileOnly: true };
}

function startCopy(
  p1: LuaValue,
  p2: LuaValue,
  options: CopyOptions,
  result: (copy: TreeCopy) => Result,
): Result {
  const copy = new TreeCopy(checkPath(p1, 1), checkPath(p2, 2), options);
  needAddon();
  return runInSlices(
    copy,
    () => result(copy),
    (error) => genericError(error, copy.failedFrom, copy.failedTo),
  );
}

export const trees: Record<string, LuaFunction> = {
  copy(from, to, opts) {
    checkPath(from, 1);
    checkPath(to, 2);
    return startCopy(from, to, copyOptions(opts), () => NONE);
  },
  copy_file(from, to, opts) {
    checkPath(from, 1);
    checkPath(to, 2);
    return startCopy(from, to, fileOptions(opts), (copy) => copy.hasCopied);
  },
  remove_all(p) {
    const path = checkPath(p, 1);
    const removal = onPaths(() => new TreeRemoval(path), path);
    return runInSlices(
      removal,
      () => removal.removed,
      (error) => genericError(error, removal.failedPath),
    );
  },
};

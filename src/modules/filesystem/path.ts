/** `filesystem.path`: file names as values. `_FILE` is one. */
import { FilePath } from '../../actors/modules.ts';
import { badArgument, codeError } from '../../runtime/error-code.ts';
import { type PathGrammar, posixPaths, windowsPaths } from '../../runtime/path.ts';
import { type LuaValue, NONE, type Result, Userdata } from '../../runtime/value.ts';
import { luaType, type TypeSpec } from '../define.ts';

const isWindows = process.platform === 'win32';
export const paths: PathGrammar = isWindows ? windowsPaths : posixPaths;

/** A path object, and nothing else. @returns its text */
export function checkPath(v: LuaValue, position: number): string {
  if (!(v instanceof FilePath)) throw badArgument(position);
  return v.path;
}

function pathOrString(v: LuaValue, position: number): string {
  if (v instanceof FilePath) return v.path;
  if (typeof v !== 'string') throw badArgument(position);
  return v;
}

/** Text from Lua; on Windows it must be UTF-8. */
function checkText(v: LuaValue): string {
  if (typeof v !== 'string') throw badArgument(1);
  if (isWindows) {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(v, 'latin1'));
    } catch {
      throw codeError('EILSEQ');
    }
  }
  return v;
}

const text = (part: 'rootName' | 'rootDirectory' | 'filename' | 'stem' | 'extension') => {
  return (self: FilePath): string => paths[part](self.path);
};
const path = (part: 'rootPath' | 'relativePath' | 'parentPath') => (self: FilePath) =>
  new FilePath(paths[part](self.path));
const has =
  (
    part:
      | 'rootPath'
      | 'rootName'
      | 'rootDirectory'
      | 'relativePath'
      | 'parentPath'
      | 'filename'
      | 'stem'
      | 'extension',
  ) =>
  (self: FilePath): boolean =>
    paths[part](self.path) !== '';
const made =
  (by: 'makePreferred' | 'removeFilename' | 'normal') =>
  (self: FilePath): FilePath =>
    new FilePath(paths[by](self.path));
const madeWith =
  (by: 'replaceFilename' | 'relativeTo' | 'proximateTo') =>
  (self: FilePath, other: LuaValue): FilePath =>
    new FilePath(paths[by](self.path, pathOrString(other, 2)));

function iterator(self: FilePath): Result {
  const elements = paths.elements(self.path);
  let i = 0;
  return () => (i < elements.length ? elements[i++] : NONE);
}

const compare = (a: LuaValue, b: LuaValue): number =>
  paths.compare(pathOrString(a, 1), pathOrString(b, 2));

export const pathType = (): TypeSpec<FilePath> => ({
  methods: {
    to_generic: (self) => paths.toGeneric(self.path),
    iterator,
    make_preferred: made('makePreferred'),
    remove_filename: made('removeFilename'),
    replace_filename: madeWith('replaceFilename'),
    replace_extension: (self, by: LuaValue) =>
      new FilePath(paths.replaceExtension(self.path, by === undefined ? '' : pathOrString(by, 2))),
    lexically_normal: made('normal'),
    lexically_relative: madeWith('relativeTo'),
    lexically_proximate: madeWith('proximateTo'),
  },
  properties: {
    root_name: text('rootName'),
    root_directory: text('rootDirectory'),
    filename: text('filename'),
    stem: text('stem'),
    extension: text('extension'),
    root_path: path('rootPath'),
    relative_path: path('relativePath'),
    parent_path: path('parentPath'),
    empty: (self) => self.path === '',
    has_root_path: has('rootPath'),
    has_root_name: has('rootName'),
    has_root_directory: has('rootDirectory'),
    has_relative_path: has('relativePath'),
    has_parent_path: has('parentPath'),
    has_filename: has('filename'),
    has_stem: has('stem'),
    has_extension: has('extension'),
    is_absolute: (self) => paths.isAbsolute(self.path),
    is_relative: (self) => !paths.isAbsolute(self.path),
  },
  tostring: (self) => self.path,
  equals: (a, b) =>
    a instanceof FilePath && b instanceof FilePath && paths.compare(a.path, b.path) === 0,
  less: (a, b) => compare(a, b) < 0,
  lessEqual: (a, b) => compare(a, b) <= 0,
  arith(op, a, b) {
    if (op !== 'div') throw badArgument(a instanceof FilePath ? 1 : 2);
    return new FilePath(paths.join(pathOrString(a, 1), pathOrString(b, 2)));
  },
  concat: (a, b) => new FilePath(pathOrString(a, 1) + pathOrString(b, 2)),
});

/** The constructors, as `filesystem.path`. */
class PathModule extends Userdata {}

luaType('filesystem.path', PathModule, {
  properties: {
    new: () => (str: LuaValue) => new FilePath(str === undefined ? '' : checkText(str)),
    from_generic: () => (source: LuaValue) => new FilePath(paths.makePreferred(checkText(source))),
    preferred_separator: () => paths.preferred,
  },
});

export const pathModule = new PathModule();

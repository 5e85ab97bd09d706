/**
 * The grammar of file names, as std::filesystem::path has it in C++17. Nothing here touches a disk; text is
 * bytes, one a code unit.
 *
 *   path = [root-name] [root-directory] relative-path        `C:` `\` `a\b`;  POSIX has no root names
 *   relative-path = { filename separators } [filename]       with a separator last, the last one is empty
 */

/** The parts of a path; joined again they are the path. */
interface Parts {
  readonly rootName: string;
  /** All the separators behind the root name; they mean one. */
  readonly rootDirectory: string;
  readonly relative: string;
}

export class PathGrammar {
  readonly preferred: '/' | '\\';
  private readonly isWindows: boolean;

  constructor(isWindows: boolean) {
    this.isWindows = isWindows;
    this.preferred = isWindows ? '\\' : '/';
  }

  private isSeparator(c: string | undefined): boolean {
    return c === '/' || (this.isWindows && c === '\\');
  }

  private afterSeparators(p: string, at: number): number {
    while (this.isSeparator(p[at])) at++;
    return at;
  }

  private afterName(p: string, at: number): number {
    while (at < p.length && !this.isSeparator(p[at])) at++;
    return at;
  }

  /** `C:`, or `\\host`. */
  private rootNameEnd(p: string): number {
    if (!this.isWindows) return 0;
    if (/^[a-zA-Z]:/.test(p)) return 2;
    if (this.afterSeparators(p, 0) === 2 && p.length > 2) return this.afterName(p, 2);
    return 0;
  }

  private parts(p: string): Parts {
    const nameEnd = this.rootNameEnd(p);
    const directoryEnd = this.afterSeparators(p, nameEnd);
    return {
      rootName: p.slice(0, nameEnd),
      rootDirectory: p.slice(nameEnd, directoryEnd),
      relative: p.slice(directoryEnd),
    };
  }

  /** File names of a relative path; a separator at its end gives an empty one. */
  private names(relative: string): string[] {
    const names: string[] = [];
    for (let at = 0; at < relative.length; ) {
      const end = this.afterName(relative, at);
      names.push(relative.slice(at, end));
      at = this.afterSeparators(relative, end);
      if (at === relative.length && end < at) names.push('');
    }
    return names;
  }

  // ── decomposition ──────────────────────────────────────────────────────────────────────────────────

  rootName(p: string): string {
    return this.parts(p).rootName;
  }

  /** One separator, as it is written first; or nothing. */
  rootDirectory(p: string): string {
    return this.parts(p).rootDirectory.slice(0, 1);
  }

  rootPath(p: string): string {
    return this.rootName(p) + this.rootDirectory(p);
  }

  relativePath(p: string): string {
    return this.parts(p).relative;
  }

  /** Where the last file name begins. */
  private filenameStart(p: string): number {
    const least = p.length - this.parts(p).relative.length;
    let at = p.length;
    while (at > least && !this.isSeparator(p[at - 1])) at--;
    return at;
  }

  filename(p: string): string {
    return p.slice(this.filenameStart(p));
  }

  parentPath(p: string): string {
    const { rootName, rootDirectory, relative } = this.parts(p);
    if (relative === '') return p;
    let end = this.filenameStart(p);
    const rootEnd = rootName.length + rootDirectory.length;
    if (end === rootEnd) return this.rootPath(p);
    while (this.isSeparator(p[end - 1])) end--;
    return p.slice(0, end);
  }

  /** Where the extension of a file name begins: none in `.`, `..` and names that begin with their only dot. */
  private extensionStart(name: string): number {
    const dot = name.lastIndexOf('.');
    return dot <= 0 || name === '..' ? name.length : dot;
  }

  stem(p: string): string {
    const name = this.filename(p);
    return name.slice(0, this.extensionStart(name));
  }

  extension(p: string): string {
    const name = this.filename(p);
    return name.slice(this.extensionStart(name));
  }

  isAbsolute(p: string): boolean {
    const { rootName, rootDirectory } = this.parts(p);
    return rootDirectory !== '' && (rootName !== '' || !this.isWindows);
  }

  /** Root name, root directory, file names: what `iterator` walks. */
  elements(p: string): string[] {
    const { rootName, rootDirectory, relative } = this.parts(p);
    const roots = [rootName, rootDirectory.slice(0, 1)].filter((root) => root !== '');
    return [...roots, ...this.names(relative)];
  }

  // ── other paths made of it ─────────────────────────────────────────────────────────────────────────

  toGeneric(p: string): string {
    const slashed = this.isWindows ? p.replaceAll('\\', '/') : p;
    const root = this.rootNameEnd(p);
    return slashed.slice(0, root) + slashed.slice(root).replace(/\/+/g, '/');
  }

  makePreferred(p: string): string {
    return this.isWindows ? p.replaceAll('/', '\\') : p;
  }

  removeFilename(p: string): string {
    return p.slice(0, this.filenameStart(p));
  }

  replaceFilename(p: string, by: string): string {
    return this.join(this.removeFilename(p), by);
  }

  replaceExtension(p: string, by: string): string {
    const bare = p.slice(0, p.length - this.extension(p).length);
    return bare + (by === '' || by.startsWith('.') ? by : `.${by}`);
  }

  /** What `p` is where `base` is the working directory. */
  join(base: string, p: string): string {
    const right = this.parts(p);
    const otherRoot = right.rootName !== '' && right.rootName !== this.rootName(base);
    if (this.isAbsolute(p) || otherRoot) return p;
    if (right.rootDirectory !== '')
      return this.rootName(base) + right.rootDirectory + right.relative;
    const left = this.parts(base);
    // `//host` is a root name that a file can't follow; `C:` is one that it can.
    const needsDirectory =
      left.rootDirectory === '' && left.relative === '' && left.rootName.length > 2;
    const glue = needsDirectory || this.filename(base) !== '' ? this.preferred : '';
    return base + glue + right.relative;
  }

  /** Without `.`, `x/..` and needless separators. */
  normal(p: string): string {
    if (p === '') return '';
    const { rootName, rootDirectory, relative } = this.parts(p);
    const kept: string[] = [];
    let isDirectory = false;
    for (const name of this.names(relative)) {
      isDirectory = name === '' || name === '.' || name === '..';
      if (name !== '..') {
        if (!isDirectory) kept.push(name);
      } else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
      else if (rootDirectory === '') kept.push(name);
    }
    const root = this.makePreferred(rootName) + (rootDirectory === '' ? '' : this.preferred);
    const last = kept.at(-1);
    const tail = isDirectory && last !== undefined && last !== '..' ? this.preferred : '';
    return root + kept.join(this.preferred) + tail || '.';
  }

  /** How to get from `base` to `p`, by their texts alone; empty where there is no way. */
  relativeTo(p: string, base: string): string {
    const from = this.parts(base);
    const to = this.parts(p);
    if (
      from.rootName !== to.rootName ||
      this.isAbsolute(p) !== this.isAbsolute(base) ||
      (to.rootDirectory === '' && from.rootDirectory !== '')
    ) {
      return '';
    }
    const steps = this.elements(p);
    const start = this.elements(base);
    let same = 0;
    while (same < steps.length && same < start.length && this.isSame(steps[same]!, start[same]!)) {
      same++;
    }
    if (same === steps.length && same === start.length) return '.';
    let up = 0;
    for (const name of start.slice(same)) {
      if (name === '..') up--;
      else if (name !== '' && name !== '.' && !this.isSeparator(name)) up++;
    }
    if (up < 0) return '';
    const down = steps.slice(same);
    if (up === 0 && (down.length === 0 || down[0] === '')) return '.';
    return [...Array<string>(up).fill('..'), ...down].reduce(
      (path, step) => this.join(path, step),
      '',
    );
  }

  private isSame(a: string, b: string): boolean {
    return a === b || (this.isSeparator(a) && this.isSeparator(b));
  }

  proximateTo(p: string, base: string): string {
    return this.relativeTo(p, base) || p;
  }

  // ── order ──────────────────────────────────────────────────────────────────────────────────────────

  /** By root name, by having a root directory, then file name by file name: bytes. */
  compare(a: string, b: string): number {
    const x = this.parts(a);
    const y = this.parts(b);
    return (
      order(x.rootName, y.rootName) ||
      Number(x.rootDirectory !== '') - Number(y.rootDirectory !== '') ||
      orderLists(this.names(x.relative), this.names(y.relative))
    );
  }
}

function order(a: string | number, b: string | number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function orderLists(a: readonly string[], b: readonly string[]): number {
  const least = Math.min(a.length, b.length);
  for (let i = 0; i < least; i++) {
    const o = order(a[i]!, b[i]!);
    if (o !== 0) return o;
  }
  return order(a.length, b.length);
}

export const posixPaths = new PathGrammar(false);
export const windowsPaths = new PathGrammar(true);

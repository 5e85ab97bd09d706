/**
 * Names of files: a model that follows the words of C++17's [fs.path] on lists of elements and by rewriting text, beside
 * runtime/path.ts; and what must hold for any two paths.
 */
import { type PathGrammar, posixPaths, windowsPaths } from '../../../src/runtime/path.ts';
import { type Fuzzer, textOf } from './fuzzer.ts';

// ── the model ──────────────────────────────────────────────────────────────────────────────────────

interface Model {
  readonly name: string;
  readonly directory: string;
  readonly relative: string;
  /** Root name, root directory, file names, an empty one for a separator at the end: [fs.path.itr]. */
  readonly elements: readonly string[];
}

const ROOTS = {
  posix: /^()(\/*)(.*)$/s,
  windows: /^([a-zA-Z]:|[\\/]{2}[^\\/]+|)([\\/]*)(.*)$/s,
};

function model(p: string, windows: boolean): Model {
  const [, name, separators, relative] = (windows ? ROOTS.windows : ROOTS.posix).exec(p)!;
  const names = relative === '' ? [] : relative!.split(windows ? /[\\/]+/ : /\/+/);
  const directory = separators!.slice(0, 1);
  return {
    name: name!,
    directory,
    relative: relative!,
    elements: [...[name!, directory].filter((root) => root !== ''), ...names],
  };
}

const absolute = (m: Model, windows: boolean): boolean =>
  m.directory !== '' && (m.name !== '' || !windows);

/** The longest beginning with one element less, and no separator for nothing at its end: [fs.path.decompose]. */
function parent(p: string, windows: boolean): string {
  const { relative, elements, name, directory } = model(p, windows);
  if (relative === '') return p;
  if (elements.length === 1) return '';
  const roots = (name === '' ? 0 : 1) + (directory === '' ? 0 : 1);
  if (elements.length - 1 === roots) return name + directory;
  for (let end = p.length - 1; ; end--) {
    const start = p.slice(0, end);
    const one = model(start, windows);
    if (one.elements.length === elements.length - 1 && one.elements.at(-1) !== '') return start;
    if (end === 0) return '';
  }
}

/** [fs.path.generic]/6, with texts instead of steps: what is rewritten once more until nothing changes. */
function normal(p: string, windows: boolean): string {
  if (p === '') return '';
  const { name, directory, relative } = model(p, windows);
  const sep = windows ? '\\' : '/';
  let text = `/${windows ? relative.replaceAll('\\', '/') : relative}/`.replace(/\/+/g, '/');
  // A path that ends with a name has no separator there; `.` and `..` in the last place had one.
  const endsWithName =
    !/(^|\/)\.{0,2}\/$/.test(text) &&
    !/[\\/]$/.test(windows ? relative : relative.replaceAll('\\', '_'));
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/\/\.\//, '/').replace(/\/(?!\.{1,2}\/)[^/]+\/\.\.\//, '/');
    if (directory !== '') text = text.replace(/^\/\.\.\//, '/');
  }
  if (endsWithName || /(^|\/)\.\.\/$/.test(text)) text = text.slice(0, -1);
  const root = (windows ? name.replaceAll('/', '\\') : name) + (directory === '' ? '' : sep);
  const rest = text.slice(1);
  return root + (windows ? rest.replaceAll('/', sep) : rest) || '.';
}

/** operator/= of [fs.path.append], word for word. */
function append(base: string, p: string, windows: boolean): string {
  const right = model(p, windows);
  const left = model(base, windows);
  if (absolute(right, windows) || (right.name !== '' && right.name !== left.name)) return p;
  let result = base;
  if (right.directory !== '') result = left.name;
  else {
    const hasFilename = left.relative !== '' && left.elements.at(-1) !== '';
    // A drive can be followed by a name, a host can't.
    const bareHost = left.name.length > 2 && left.directory === '' && left.relative === '';
    if (hasFilename || bareHost) result += windows ? '\\' : '/';
  }
  return result + p.slice(right.name.length);
}

const signOf = (n: number): number => Math.sign(n);

/** As lists of bytes, one element after the other: [fs.path.compare]. */
function compare(a: string, b: string, windows: boolean): number {
  const [x, y] = [model(a, windows), model(b, windows)];
  const roots = Number(x.name > y.name) - Number(x.name < y.name);
  if (roots !== 0) return roots;
  if ((x.directory === '') !== (y.directory === '')) return x.directory === '' ? -1 : 1;
  const names = (m: Model): string[] =>
    m.elements.slice((m.name === '' ? 0 : 1) + (m.directory === '' ? 0 : 1));
  // A name is as long as it is, and then comes something less than any byte.
  const flat = (list: string[]): string =>
    list
      .map(
        (name) => `${[...name].map((c) => String.fromCharCode(c.charCodeAt(0) + 2)).join('')}\x01`,
      )
      .join('');
  const [s, t] = [flat(names(x)), flat(names(y))];
  return Number(s > t) - Number(s < t);
}

/** [fs.path.gen]/3–5. */
function relative(p: string, base: string, windows: boolean): string {
  const [to, from] = [model(p, windows), model(base, windows)];
  if (to.name !== from.name) return '';
  if (absolute(to, windows) !== absolute(from, windows)) return '';
  if (to.directory === '' && from.directory !== '') return '';
  const [a, b] = [[...to.elements], [...from.elements]];
  const generic = (e: string | undefined): string | undefined => (e === '\\' ? '/' : e);
  while (
    a.length > 0 &&
    b.length > 0 &&
    (windows ? generic(a[0]) === generic(b[0]) : a[0] === b[0])
  ) {
    a.shift();
    b.shift();
  }
  if (a.length === 0 && b.length === 0) return '.';
  const isName = (e: string): boolean =>
    !['', '.', '..', '/', ...(windows ? ['\\'] : [])].includes(e);
  const n = b.filter(isName).length - b.filter((e) => e === '..').length;
  if (n < 0) return '';
  if (n === 0 && (a.length === 0 || a[0] === '')) return '.';
  return [...Array<string>(n).fill('..'), ...a].reduce((path, e) => append(path, e, windows), '');
}

// ── the fuzzer ─────────────────────────────────────────────────────────────────────────────────────

const PIECES = [
  '/',
  '/',
  '/',
  '\\',
  '\\',
  '.',
  '..',
  '...',
  'a',
  'b',
  'C:',
  'c:',
  ':',
  'host',
  '.x',
  'x.',
  '.tar.gz',
  ' ',
  '\0',
  '\xff',
  '\xc3\xa4',
  '\n',
];

interface Case {
  readonly windows: boolean;
  readonly p: string;
  readonly q: string;
}

export const paths: Fuzzer<Case> = {
  name: 'path',
  kept: ['windows'],
  make(random) {
    const p = textOf(random, 9, PIECES);
    // The other one is often near: a part of it, or more of it.
    const q = random.chance(40)
      ? p.slice(0, random.int(p.length + 1)) + textOf(random, 4, PIECES)
      : textOf(random, 9, PIECES);
    return { windows: random.chance(50), p, q };
  },
  check({ windows, p, q }) {
    const g: PathGrammar = windows ? windowsPaths : posixPaths;
    const m = model(p, windows);
    const last = m.relative === '' ? '' : m.elements.at(-1)!;
    const dotted = /^\.\.?$/.test(last) ? null : /^(.+)(\.[^.]*)$/s.exec(last);
    const [stem, extension] = dotted === null ? [last, ''] : [dotted[1]!, dotted[2]!];
    const expected: { readonly [name: string]: readonly [unknown, unknown] } = {
      rootName: [g.rootName(p), m.name],
      rootDirectory: [g.rootDirectory(p), m.directory],
      rootPath: [g.rootPath(p), m.name + m.directory],
      relativePath: [g.relativePath(p), m.relative],
      elements: [g.elements(p).join('|'), m.elements.join('|')],
      filename: [g.filename(p), last],
      parentPath: [g.parentPath(p), parent(p, windows)],
      stem: [g.stem(p), stem],
      extension: [g.extension(p), extension],
      isAbsolute: [g.isAbsolute(p), absolute(m, windows)],
      normal: [g.normal(p), normal(p, windows)],
      // What is left of `.\\C:x` begins with a drive.
      'normal, twice': [
        g.rootName(g.normal(p)).length === m.name.length ? g.normal(g.normal(p)) : g.normal(p),
        g.normal(p),
      ],
      join: [g.join(p, q), append(p, q, windows)],
      relativeTo: [g.relativeTo(p, q), relative(p, q, windows)],
      proximateTo: [g.proximateTo(p, q), relative(p, q, windows) || p],
      compare: [signOf(g.compare(p, q)), compare(p, q, windows)],
      'compare, turned': [signOf(g.compare(q, p)), -compare(p, q, windows) + 0],
      removeFilename: [g.removeFilename(p) + last, p],
      replaceFilename: [
        g.replaceFilename(p, q),
        append(p.slice(0, p.length - last.length), q, windows),
      ],
      replaceExtension: [
        g.replaceExtension(p, q),
        p.slice(0, p.length - extension.length) + (/^(\.|$)/.test(q) ? q : `.${q}`),
      ],
    };
    for (const [name, [ours, theirs]] of Object.entries(expected)) {
      if (ours !== theirs && !(ours === 0 && theirs === 0)) {
        return `${name}: ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`;
      }
    }
    return undefined;
  },
};

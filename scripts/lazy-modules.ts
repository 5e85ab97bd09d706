/**
 * For the bundles: modules that are marked where they are imported are evaluated when a program requires them
 * (`src/modules/all.ts` only), or calls one of their functions, not at start-up. A file is named by its path in src/.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

const MARKED = /^import \{ (\w+) \} from '\.\/(\w+)\.ts'; \/\/ when it is required$/gm;

const FUNCTIONS = /^import \{ ([\w, ]+) \} from '(\.[\w./-]+)'; \/\/ when it is called$/gm;

/** What it gives is kept: in a bundle it makes a new object of the exports each time, which each new VM would pay for. */
const requireFile = (_: string, path: string): string =>
  `(loaded['${path}'] ??= require('${path}'))`;

/**
 * @param use     an expression: the exports of a file, by its name and by its path from where it is imported
 * @param before  the text that it needs
 */
export function deferModules(
  use: (file: string, path: string) => string = requireFile,
  before = 'const loaded: any = {};',
): Plugin {
  return {
    name: 'lazy-modules',
    setup({ initialOptions, onLoad }) {
      const src = resolve(initialOptions.absWorkingDir!, 'src');
      onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path: file }) => {
        const source = readFileSync(file, 'utf8');
        const contents = defer(source, (path) => use(nameOf(src, file, path), path));
        return source === contents ? undefined : { contents: before + contents, loader: 'ts' };
      });
    },
  };
}

const nameOf = (src: string, importer: string, path: string): string =>
  relative(src, resolve(importer, '..', path)).replace(/\.ts$/, '');

function defer(source: string, use: (path: string) => string): string {
  return source
    .replace(
      MARKED,
      (_, name: string, file: string) =>
        `const ${name} = { name: '${file}', create: (vm: Vm) => ${use(`./${file}.ts`)}.${name}.create(vm) };`,
    )
    .replace(FUNCTIONS, (_, names: string, path: string) =>
      names
        .split(', ')
        .map((name) => `const ${name} = (...args: any[]) => ${use(path)}.${name}(...args);`)
        .join(' '),
    );
}

/** The names of these files. */
export function deferred(src: string): string[] {
  const names = new Set<string>();
  for (const name of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const file = join(src, name);
    defer(readFileSync(file, 'utf8'), (path) => {
      names.add(nameOf(src, file, path));
      return '';
    });
  }
  return [...names].sort();
}

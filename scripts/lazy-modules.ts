/**
 * For the bundles: modules that `src/modules/all.ts` marks are evaluated when a program requires them, or
 * calls their function, not at start-up. A module is named as its file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';

const MARKED = /^import \{ (\w+) \} from '\.\/(\w+)\.ts'; \/\/ when it is required$/gm;

const FUNCTIONS = /^import \{ ([\w, ]+) \} from '\.\/(\w+)\.ts'; \/\/ when it is called$/gm;

/** What it gives is kept: in a bundle it makes a new object of the exports each time, which each new VM would pay for. */
const requireFile = (name: string): string => `(loaded.${name} ??= require('./${name}.ts'))`;

/**
 * @param use     an expression: the exports of a module
 * @param before  the text that it needs
 */
export function deferModules(use = requireFile, before = 'const loaded: any = {};'): Plugin {
  const defer = (source: string): string =>
    before +
    source
      .replace(
        MARKED,
        (_, name: string, file: string) =>
          `const ${name} = { name: '${file}', create: (vm: Vm) => ${use(file)}.${name}.create(vm) };`,
      )
      .replace(FUNCTIONS, (_, names: string, file: string) =>
        names
          .split(', ')
          .map((name) => `const ${name} = (...args: any[]) => ${use(file)}.${name}(...args);`)
          .join(' '),
      );
  return {
    name: 'lazy-modules',
    setup({ onLoad }) {
      onLoad({ filter: /src\/modules\/all\.ts$/ }, ({ path }) => ({
        contents: defer(readFileSync(path, 'utf8')),
        loader: 'ts',
      }));
    },
  };
}

/** The names of these modules. */
export function deferred(src: string): string[] {
  const source = readFileSync(join(src, 'modules/all.ts'), 'utf8');
  return [MARKED, FUNCTIONS].flatMap((marks) =>
    [...source.matchAll(marks)].map(([, , file]) => file!),
  );
}

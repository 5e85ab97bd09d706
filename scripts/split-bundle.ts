/**
 * dist/main.cjs, with what every program needs, and dist/more.cjs, with what it may require: half of all.
 * What main.cjs doesn't have need not be read, nor its code cache, and V8's heap stays smaller.
 *
 * A file of src/ is in one of the two. main.cjs is what `src/cli/main.ts` imports, without what is marked where it is
 * imported (lazy-modules.ts); that is in more.cjs, with what else they import. There an
 * import of a file that is in main.cjs becomes a question to it: `$main(file)`, which bin/start.cjs hands over.
 */
import { relative, resolve } from 'node:path';
import { type BuildOptions, build, type OutputFile, type Plugin } from 'esbuild';
import { deferModules, deferred } from './lazy-modules.ts';

type Options = BuildOptions & { absWorkingDir: string };

/** Names of modules that are no files: main.cjs begins with the first, that is what more.cjs asks; what is called for a file of more.cjs. */
const MAIN = 'perilune:main';
const ANSWERS = 'perilune:answers';
const MORE = 'perilune:more';

const CALLED = `
  let loaded: any;
  let answer: (file: string) => unknown;
  export const answerWith = (f: typeof answer): void => { answer = f; };
  // It makes a new object of the exports each time, which each new VM would pay for.
  const known: any = {};
  export const more = (name: string) => (known[name] ??= (loaded ??= $load('more', answer)).load(name));`;

/** @param wrap  banner and footer of a bundle whose function has these parameters, too */
export async function splitBundle(
  options: Options,
  wrap: (parameter: string) => BuildOptions,
): Promise<OutputFile[]> {
  const src = resolve(options.absWorkingDir, 'src');
  const main = (answers: string): Promise<{ outputFiles: OutputFile[]; files: Set<string> }> =>
    bundle({
      ...options,
      ...wrap('$load'),
      entryPoints: [{ in: MAIN, out: 'main' }],
      plugins: [
        deferModules((file) => `$more('${file}')`, `import { more as $more } from '${MORE}';`),
        virtual(MAIN, `import '${ANSWERS}'; import './cli/main.ts';`, src),
        virtual(ANSWERS, answers, src),
        virtual(MORE, CALLED, src),
      ],
    });
  const { files } = await main('');
  const names = await exportsOf(files, options);
  const asked = new Set<string>();
  const rest = await bundle({
    ...options,
    ...wrap('$main'),
    entryPoints: [{ in: MORE, out: 'more' }],
    plugins: [virtual(MORE, entryOfMore(src), src), askMain(src, names, asked)],
  });
  const { outputFiles } = await main(answers(src, names, asked));
  return [...outputFiles, ...rest.outputFiles];
}

async function bundle(
  options: Options,
): Promise<{ outputFiles: OutputFile[]; files: Set<string> }> {
  const { outputFiles, metafile } = await build({ ...options, metafile: true, write: false });
  const files = Object.keys(metafile.inputs).filter((file) => !file.includes(':'));
  return { outputFiles, files: new Set(files.map((file) => resolve(options.absWorkingDir, file))) };
}

/** What each file exports. */
async function exportsOf(
  files: ReadonlySet<string>,
  { absWorkingDir }: Options,
): Promise<Map<string, readonly string[]>> {
  const { metafile } = await build({
    absWorkingDir,
    entryPoints: [...files],
    outdir: 'nowhere',
    bundle: false,
    format: 'esm',
    write: false,
    metafile: true,
  });
  return new Map(
    Object.values(metafile.outputs).map(({ entryPoint, exports }) => [
      resolve(absWorkingDir, entryPoint!),
      exports,
    ]),
  );
}

const entryOfMore = (src: string): string => `
  export const load = (name: string): any => {
    switch (name) {
      ${deferred(src)
        .map((name) => `case '${name}': return require('./${name}.ts');`)
        .join('\n')}
    }
  };`;

/** In more.cjs: what main.cjs has is asked for there. */
function askMain(
  src: string,
  names: ReadonlyMap<string, readonly string[]>,
  asked: Set<string>,
): Plugin {
  return {
    name: 'ask-main',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
        const file = resolve(resolveDir, path);
        if (!names.has(file)) return undefined;
        asked.add(file);
        return { path: file, namespace: 'main' };
      });
      onLoad({ filter: /./, namespace: 'main' }, ({ path }) => ({
        contents: `export const { ${names.get(path)!.join(', ')} } = $main('${relative(src, path)}');`,
      }));
    },
  };
}

/** In main.cjs: what more.cjs asks for. */
function answers(
  src: string,
  names: ReadonlyMap<string, readonly string[]>,
  asked: ReadonlySet<string>,
): string {
  const files = [...asked].sort();
  const local = (name: string, i: number): string => `${name} as $${i}_${name}`;
  const imports = files.map(
    (file, i) =>
      `import { ${names
        .get(file)!
        .map((name) => local(name, i))
        .join(', ')} } from ${JSON.stringify(file)};`,
  );
  const cases = files.map(
    (file, i) =>
      `case '${relative(src, file)}': return { ${names
        .get(file)!
        .map((name) => `${name}: $${i}_${name}`)
        .join(', ')} };`,
  );
  return `${imports.join('\n')}
    import { answerWith } from '${MORE}';
    answerWith((file) => { switch (file) { ${cases.join('\n')} } });`;
}

/** A module that is no file. */
function virtual(name: string, contents: string, resolveDir: string): Plugin {
  return {
    name: 'virtual',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path: name, namespace: 'virtual' }));
      onLoad({ filter: new RegExp(`^${name}$`), namespace: 'virtual' }, () => ({
        contents,
        resolveDir,
        loader: 'ts',
      }));
    },
  };
}

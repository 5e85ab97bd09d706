/**
 * What npm runs after an install in a checkout: bundles src/ to dist/, and builds the addon from
 * native/ unless it is up to date.
 *
 *   node scripts/prepare.ts            a failed addon build is reported, and is not an error
 *   node scripts/prepare.ts --strict   it is one: for tests and releases
 *
 * The Node that runs this must be the pinned one: it decides the code cache, and the headers.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { deferModules } from './lazy-modules.ts';
import { splitBundle } from './split-bundle.ts';
import { writeModule } from './wasm-to-c.ts';

const root = dirname(import.meta.dirname);
const strict = process.argv.includes('--strict');
const addonFiles = ['perilune.node', 'start.node', 'heap.node', 'lua51.a', 'libc_service.so'].map(
  (name) => join(root, 'build/Release', name),
);
const stampFile = join(root, 'build/perilune.stamp');

await bundle();
linkCommands();
const failure = buildAddon();
writeCodeCaches();
if (failure) {
  console.error(
    `perilune: the native addon was not built (${failure}).\n` +
      'perilune: Programs that only compute run without it; sockets, streams, processes and sandboxes\n' +
      'perilune: raise an error. Install a C compiler, make and Python 3, then: npm run build',
  );
  if (strict) process.exit(1);
}

/**
 * One file per entry point (two for the main one: see split-bundle.ts), because start-up is part of the product:
 * a CommonJS bundle starts 3 ms before an ES module, and reading it is a part of start-up. Names stay as they
 * are, since stacks show them.
 */
async function bundle(): Promise<void> {
  // Debuggers of Lua programs are not to stop in it: all of it belongs to a source that they ignore.
  const ignored = encodeURIComponent(
    '{"version":3,"sources":["perilune.js"],"sourcesContent":["// dist/*.cjs"],"names":[],"mappings":"AAAA","ignoreList":[0],"x_google_ignoreList":[0]}',
  );
  const options = {
    absWorkingDir: root,
    outdir: 'dist',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'esnext',
    charset: 'ascii', // bin/start.cjs reads it as latin1
    define: {
      'import.meta.filename': '__filename',
      'import.meta.dirname': '__dirname',
      PERILUNE_BUILD: JSON.stringify(hashOf('src', 'package-lock.json')),
    },
    supported: { 'dynamic-import': false }, // import('node:tls') becomes a lazy require
    legalComments: 'none',
    minifyWhitespace: true,
    lineLimit: 120,
    logLevel: 'warning',
  } satisfies BuildOptions;
  // bin/ calls it.
  const wrap = (...parameters: string[]): BuildOptions => ({
    banner: {
      js: `(function (${['require', 'module', 'exports', '__filename', '__dirname', ...parameters].join(', ')}) {`,
    },
    footer: { js: `})\n//# sourceMappingURL=data:application/json,${ignored}` },
  });
  const others = await build({
    ...options,
    ...wrap(),
    entryPoints: ['thread', 'jailed'].map((name) => `src/cli/${name}.ts`),
    plugins: [deferModules()],
    write: false,
  });
  const files = [...others.outputFiles, ...(await splitBundle(options, wrap))];
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const { path, contents } of files) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    rmSync(path.replace(/\.cjs$/, '.cache'), { force: true }); // V8 compares lengths only
    // A program that runs has the file of before mapped into its memory.
    writeFileSync(`${path}.${process.pid}`, contents);
    renameSync(`${path}.${process.pid}`, path);
  }
}

/**
 * The code caches that bin/start.cjs and bin/thread.cjs load, each from one run of the launcher, so that V8
 * has the flags that it will have then. Without them start-up takes some milliseconds longer.
 */
function writeCodeCaches(): void {
  if (process.platform === 'win32') return;
  const preload = join(root, 'scripts/write-code-cache.cjs');
  for (const [bundle, program] of [
    ['main', 'examples/hello.lua'],
    ['more', 'scripts/code-cache-more.lua'],
    ['thread', 'scripts/code-cache.lua'],
  ] as const) {
    spawnSync(join(root, 'bin/perilune'), [join(root, program)], {
      env: { ...process.env, NODE_OPTIONS: `--require "${preload}"`, CACHE_OF: bundle },
      stdio: 'ignore',
      timeout: 10_000,
    });
  }
}

/**
 * `perilune` and `node` in npm scripts and `npm exec`: npm links the commands of dependencies only,
 * and npm 10 loses the link to a `node` that several optional packages offer.
 */
function linkCommands(): void {
  if (process.platform === 'win32') return;
  const folder = join(root, 'node_modules/.bin');
  mkdirSync(folder, { recursive: true });
  for (const [name, target] of [
    ['perilune', join(root, 'bin/perilune')],
    ['node', process.execPath],
  ] as const) {
    const link = join(folder, name);
    if (!existsSync(link)) symlinkSync(relative(folder, target), link);
  }
}

/**
 * Compiles in a folder of its own and renames the result: a program that runs meanwhile, or a second
 * build, never sees half an addon.
 * @returns why there is no addon now, or undefined when there is one
 */
function buildAddon(): string | undefined {
  if (process.platform !== 'linux') return `it is for Linux, this is ${process.platform}`;
  const stamp = addonStamp();
  if (!stamp) return 'native/ is empty';
  const isThere = [...addonFiles, stampFile].every((file) => existsSync(file));
  if (isThere && readFileSync(stampFile, 'utf8') === stamp) return undefined;
  for (const file of addonFiles) rmSync(file, { force: true });
  for (const tool of [process.env.CC ?? 'cc', 'make', 'python3']) {
    if (spawnSync(tool, ['--version']).error) return `${tool} is missing`;
  }

  const work = join(root, `build/work-${process.pid}`);
  cpSync(join(root, 'native'), join(work, 'native'), { recursive: true });
  cpSync(join(root, 'binding.gyp'), join(work, 'binding.gyp'));
  writeModule(
    join(root, 'native/init-script/lua51.wasm'),
    'lua51',
    join(work, 'native/libc-service'),
  );
  const nodePackage = dirname(dirname(process.execPath)); // carries the headers of this very Node
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const args = ['rebuild', '-C', work, `--nodedir=${nodePackage}`, '--loglevel=error', '-j', 'max'];
  // An npm that is set to build against the headers of another Node says so in the environment, which node-gyp prefers.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_nodedir$/i.test(name)),
  );
  const run = spawnSync(process.execPath, [gyp, ...args], { encoding: 'utf8', env });
  if (run.status === 0) {
    for (const file of addonFiles) {
      mkdirSync(dirname(file), { recursive: true });
      renameSync(join(work, 'build/Release', basename(file)), file);
    }
    writeFileSync(stampFile, stamp);
  } else {
    console.error(
      `${run.stdout}${run.stderr}`.replace(/^gyp ERR! (?:stack|System|command|cwd).*\n/gm, ''),
    );
  }
  rmSync(work, { recursive: true });
  return run.status === 0 ? undefined : `node-gyp ended with ${run.status ?? run.signal}`;
}

/** Of the files below these paths. */
function hashOf(...paths: string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap((start) => filesBelow(join(root, start)))) {
    hash.update(`\n${relative(root, path)}\n`).update(readFileSync(path));
  }
  return hash.digest('hex');
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Hash of all that decides what the addon is; empty when there is nothing to build. */
function addonStamp(): string {
  const nativeDir = join(root, 'native');
  const sources = existsSync(nativeDir)
    ? readdirSync(nativeDir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(nativeDir, join(entry.parentPath, entry.name)))
        .sort()
    : [];
  if (!sources.some((name) => name.endsWith('.c'))) return '';
  const hash = createHash('sha256').update(
    `${process.version} ${process.platform} ${process.arch}\n`,
  );
  for (const name of ['binding.gyp', 'scripts/wasm-to-c.ts', 'scripts/wasm-decode.ts'])
    hash.update(readFileSync(join(root, name)));
  for (const name of sources)
    hash.update(`\n${name}\n`).update(readFileSync(join(nativeDir, name)));
  return hash.digest('hex');
}

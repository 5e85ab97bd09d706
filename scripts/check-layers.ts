/**
 * Fails where an import under src/ breaks the layering, or closes a cycle between files.
 *
 * The table below is the rule; CONTRIBUTING.md says it in words. Type-only imports count too: a
 * file that needs another's types can't be read, or moved, without it.
 *
 *   node scripts/check-layers.ts [src folder]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** What the files of a folder may import, beside other files of the same folder. */
interface Layer {
  readonly folders: readonly string[];
  /** `node:` modules */
  readonly node: boolean;
  /** npm packages; each one needs a note in docs/decisions/ */
  readonly packages: readonly string[];
}

const LAYERS: Readonly<Record<string, Layer>> = {
  compiler: { folders: [], node: false, packages: [] },
  runtime: { folders: [], node: false, packages: [] },
  sys: { folders: [], node: false, packages: [] },
  fibers: { folders: ['runtime'], node: false, packages: [] },
  io: { folders: ['sys'], node: true, packages: [] },
  sandbox: { folders: ['sys'], node: false, packages: [] },
  actors: {
    folders: ['compiler', 'runtime', 'fibers', 'io', 'sandbox'],
    node: true,
    packages: [],
  },
  modules: {
    folders: ['compiler', 'runtime', 'sys', 'fibers', 'io', 'sandbox', 'actors'],
    node: true,
    packages: [],
  },
  cli: {
    folders: ['compiler', 'runtime', 'sys', 'fibers', 'io', 'sandbox', 'actors', 'modules'],
    node: true,
    packages: [],
  },
};

/** The one file that loads the addon, so the only one of its folder that needs `node:`. */
const ADDON_LOADER = 'sys/native.ts';
const LOADS_ADDON = /\bcreateRequire\b|\bprocess\.dlopen\b|\.node['"`]/;

/** Emitted code names the operations of the runtime: their names are checked as types. */
const isEmitNamingOps = (from: string, to: string, typeOnly: boolean): boolean =>
  from === 'compiler/emit.ts' && to === 'runtime/ops.ts' && typeOnly;

interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

/** @returns one message per violation, in the order of files and lines; empty when all is well */
export function checkLayers(srcDir: string): string[] {
  const files = listFiles(srcDir);
  const messages: string[] = [];
  const graph = new Map<string, string[]>();
  for (const file of files) {
    const text = readFileSync(join(srcDir, file), 'utf8');
    const targets: string[] = [];
    graph.set(file, targets);
    const report = (line: number, problem: string) =>
      messages.push(`src/${file}:${line}: ${problem}`);

    if (!LAYERS[folderOf(file)]) report(1, `no layer is called '${folderOf(file)}'`);
    const loads = LOADS_ADDON.exec(text);
    if (loads && file !== ADDON_LOADER)
      report(lineAt(text, loads.index), `only src/${ADDON_LOADER} loads the addon`);

    for (const found of importsOf(text)) {
      if (!found.specifier.startsWith('.')) {
        const problem = checkOutside(file, found.specifier);
        if (problem) report(found.line, problem);
        continue;
      }
      const target = relative(srcDir, resolve(srcDir, dirname(file), found.specifier))
        .split(sep)
        .join('/');
      if (target.startsWith('../'))
        report(found.line, `imports '${found.specifier}', outside src/`);
      else if (!existsSync(join(srcDir, target)))
        report(found.line, `imports '${found.specifier}', which is no file`);
      else {
        targets.push(target);
        const problem = checkInside(file, target, found.typeOnly);
        if (problem) report(found.line, problem);
      }
    }
  }
  for (const cycle of findCycles(graph)) messages.push(`import cycle: ${cycle.join(' → ')}`);
  return messages;
}

/** @param specifier  'node:fs', or the name of a package */
function checkOutside(file: string, specifier: string): string | undefined {
  const layer = LAYERS[folderOf(file)];
  if (!layer) return undefined;
  if (specifier.startsWith('node:')) {
    if (layer.node || file === ADDON_LOADER) return undefined;
    return `${folderOf(file)} may not import ${specifier}`;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  return layer.packages.includes(name)
    ? undefined
    : `${folderOf(file)} may not import the package '${name}'`;
}

/** @param file, target  paths below src/, as in 'modules/ip/tcp.ts' */
function checkInside(file: string, target: string, typeOnly: boolean): string | undefined {
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === to) return from === 'modules' ? checkSiblings(file, target) : undefined;
  if (LAYERS[from]?.folders.includes(to) || isEmitNamingOps(file, target, typeOnly))
    return undefined;
  return `${from} may not import ${to} (${target})`;
}

/**
 * A Lua-visible module may use define.ts and its own parts: ip.ts those of ip/, and these each
 * other. The table of modules, all.ts, may use all of them and is used by none.
 */
function checkSiblings(file: string, target: string): string | undefined {
  if (file === 'modules/all.ts' || target === 'modules/define.ts') return undefined;
  const ownFolder = `${moduleOf(file)}/`;
  if (target.startsWith(ownFolder)) return undefined;
  return `${file} may not import ${target}: what modules share belongs in a lower folder`;
}

/** 'modules/ip.ts' and 'modules/ip/tcp.ts' → 'modules/ip' */
function moduleOf(file: string): string {
  const name = file.split('/')[1] ?? '';
  return `modules/${name.replace(/\.ts$/, '')}`;
}

/** 'io/timer.ts' → 'io' */
function folderOf(file: string): string {
  return file.split('/')[0] ?? '';
}

/**
 * The imports of a file, by regular expression: what stands between `import` and `from` is names,
 * braces and comments, and biome puts each statement at the start of a line.
 */
function importsOf(text: string): Import[] {
  const statement =
    /^[ \t]*(?:import|export)\s+(type\s+)?(?:(?:[\w$*{},\s]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*?\bfrom\s*)?(['"])([^'"\n]+)\2/gm;
  const call = /\b(?:import|getBuiltinModule)\(\s*(['"`])([^'"`\n]+)\1/g;
  const imports: Import[] = [];
  for (const match of text.matchAll(statement)) {
    imports.push({
      specifier: match[3] ?? '',
      line: lineAt(text, match.index),
      typeOnly: match[1] !== undefined,
    });
  }
  for (const match of text.matchAll(call)) {
    imports.push({ specifier: match[2] ?? '', line: lineAt(text, match.index), typeOnly: false });
  }
  return imports.sort((a, b) => a.line - b.line);
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function listFiles(srcDir: string): string[] {
  return readdirSync(srcDir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.split(sep).join('/'))
    .sort();
}

/**
 * Depth-first: an import of a file that is still being visited closes a cycle.
 * @returns each cycle as its files, the first one again at the end
 */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

if (import.meta.main) {
  const messages = checkLayers(
    resolve(process.argv[2] ?? join(dirname(import.meta.dirname), 'src')),
  );
  for (const message of messages) console.error(message);
  if (messages.length > 0) process.exit(1);
}

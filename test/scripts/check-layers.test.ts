import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkLayers } from '../../scripts/check-layers.ts';

type Tree = Readonly<Record<string, string>>;

/** A source tree in a temporary folder, and what the check says of it. */
function check(title: string, tree: Tree, expected: readonly string[]): void {
  test(title, (t) => {
    const src = mkdtempSync(join(tmpdir(), 'perilune-layers-'));
    t.after(() => rmSync(src, { recursive: true }));
    for (const [name, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(src, name)), { recursive: true });
      writeFileSync(join(src, name), text);
    }
    assert.deepEqual(checkLayers(src), expected);
  });
}

check(
  'arrows that point down are fine',
  {
    'runtime/value.ts': 'export const nil = undefined;\n',
    'runtime/ops.ts': "import { nil } from './value.ts';\nexport type Ops = typeof nil;\n",
    'compiler/emit.ts': "import type { Ops } from '../runtime/ops.ts';\n",
    'sys/native.ts': "import { createRequire } from 'node:module';\n",
    'sys/fd.ts': "import { native } from './native.ts';\n",
    'io/timer.ts':
      "import { performance } from 'node:perf_hooks';\nimport { fd } from '../sys/fd.ts';\n",
    'cli/main.ts': "import { a } from '../io/timer.ts';\nimport b from '../runtime/value.ts';\n",
  },
  [],
);

check(
  'a folder may not import one that is not in its row',
  { 'fibers/fiber.ts': "\nimport { timer } from '../io/timer.ts';\n", 'io/timer.ts': '' },
  ['src/fibers/fiber.ts:2: fibers may not import io (io/timer.ts)'],
);

check(
  'type-only imports, re-exports, dynamic imports and import types count',
  {
    'io/a.ts': '',
    'runtime/b.ts': "import type { A } from '../io/a.ts';\n",
    'runtime/c.ts': "export {\n  A, // comment, with a comma\n} from '../io/a.ts';\n",
    'runtime/d.ts': "export const later = () => import('../io/a.ts');\n",
    'runtime/e.ts': "export type E = import('../io/a.ts').A;\n",
    'runtime/f.ts': "import '../io/a.ts';\n",
    'runtime/g.ts': "import {\n  /* it's */ A,\n  type B,\n} from '../io/a.ts';\n",
  },
  ['b', 'c', 'd', 'e', 'f', 'g'].map(
    (name) => `src/runtime/${name}.ts:1: runtime may not import io (io/a.ts)`,
  ),
);

check(
  'the compiler knows the runtime by the types of ops.ts, in emit.ts only',
  {
    'runtime/ops.ts': '',
    'runtime/table.ts': '',
    'compiler/emit.ts':
      "import { add } from '../runtime/ops.ts';\nimport type { T } from '../runtime/table.ts';\n",
    'compiler/parse.ts': "import type { Ops } from '../runtime/ops.ts';\n",
  },
  [
    'src/compiler/emit.ts:1: compiler may not import runtime (runtime/ops.ts)',
    'src/compiler/emit.ts:2: compiler may not import runtime (runtime/table.ts)',
    'src/compiler/parse.ts:1: compiler may not import runtime (runtime/ops.ts)',
  ],
);

check(
  'node: and packages stay out where the row has none',
  {
    'runtime/string.ts': "import { Buffer } from 'node:buffer';\n",
    'runtime/number.ts': "const os = process.getBuiltinModule('node:os');\n",
    'sys/fd.ts': "import { constants } from 'node:os';\n",
    'io/file.ts':
      "import x from 'left-pad/lib/x.js';\nimport y from '@scope/name/y.js';\nimport fs from 'fs';\n",
  },
  [
    "src/io/file.ts:1: io may not import the package 'left-pad'",
    "src/io/file.ts:2: io may not import the package '@scope/name'",
    "src/io/file.ts:3: io may not import the package 'fs'",
    'src/runtime/number.ts:1: runtime may not import node:os',
    'src/runtime/string.ts:1: runtime may not import node:buffer',
    'src/sys/fd.ts:1: sys may not import node:os',
  ],
);

check(
  'modules share through lower folders, define.ts and their own parts',
  {
    'modules/all.ts': "import { ip } from './ip.ts';\nimport { tls } from './tls.ts';\n",
    'modules/define.ts': '',
    'modules/ip.ts': "import './define.ts';\nimport './ip/tcp.ts';\n",
    'modules/ip/address.ts': '',
    'modules/ip/tcp.ts': "import '../define.ts';\nimport './address.ts';\n",
    'modules/ipc.ts': "import './ip/address.ts';\n",
    'modules/tls.ts': "import './ip.ts';\n",
  },
  [
    'src/modules/ipc.ts:1: modules/ipc.ts may not import modules/ip/address.ts: what modules share belongs in a lower folder',
    'src/modules/tls.ts:1: modules/tls.ts may not import modules/ip.ts: what modules share belongs in a lower folder',
  ],
);

check(
  'one file loads the addon',
  {
    'sys/native.ts': 'export const a = { exports: {} };\nprocess.dlopen(a, "perilune.node");\n',
    'io/reactor.ts': "\n\nprocess.dlopen({ exports: {} }, 'x');\n",
    'io/file.ts': "const path = 'build/Release/perilune.node';\n",
  },
  [
    'src/io/file.ts:1: only src/sys/native.ts loads the addon',
    'src/io/reactor.ts:3: only src/sys/native.ts loads the addon',
  ],
);

check(
  'cycles between files of one folder are found, types included',
  {
    'runtime/a.ts': "import type { B } from './b.ts';\n",
    'runtime/b.ts': "import { c } from './c.ts';\n",
    'runtime/c.ts': "import { a } from './a.ts';\n",
    'runtime/d.ts': "import { a } from './a.ts';\nimport { b } from './b.ts';\n",
    'runtime/self.ts': "import { me } from './self.ts';\n",
  },
  [
    'import cycle: runtime/a.ts → runtime/b.ts → runtime/c.ts → runtime/a.ts',
    'import cycle: runtime/self.ts → runtime/self.ts',
  ],
);

check(
  'imports name files below src/, in folders that the table knows',
  {
    'helpers/x.ts': '',
    'io/a.ts': "import './missing.ts';\nimport '../../test/support/spec.ts';\n",
  },
  [
    "src/helpers/x.ts:1: no layer is called 'helpers'",
    "src/io/a.ts:1: imports './missing.ts', which is no file",
    "src/io/a.ts:2: imports '../../test/support/spec.ts', outside src/",
  ],
);

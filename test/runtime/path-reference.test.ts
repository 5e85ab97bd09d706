/** 250 random pairs of paths, beside what libstdc++ makes of them: path-reference.cpp. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { posixPaths as g } from '../../src/runtime/path.ts';

const reference = readFileSync(join(import.meta.dirname, 'path-reference.txt'), 'latin1');

test('paths have the parts that libstdc++ sees', () => {
  const lines = reference.trimEnd().split('\n');
  assert.equal(lines.length, 250);
  for (const line of lines) {
    const [p, q] = line.split('\t', 2) as [string, string];
    const ours = [
      p,
      q,
      g.rootName(p),
      g.rootDirectory(p),
      g.rootPath(p),
      g.relativePath(p),
      g.parentPath(p),
      g.filename(p),
      g.stem(p),
      g.extension(p),
      g.normal(p),
      g.relativeTo(p, q),
      g.proximateTo(p, q),
      g.join(p, q),
      g.removeFilename(p),
      g.replaceFilename(p, q),
      g.replaceExtension(p, q),
      g.compare(p, q),
      Number(g.isAbsolute(p)),
      g
        .elements(p)
        .map((name) => `${name}|`)
        .join(''),
    ];
    assert.equal(ours.join('\t'), line);
  }
});

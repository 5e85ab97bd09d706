import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const LOG = `127.0.0.1 - ann [25/Nov/2026:22:30:00 +0000] "GET /index.html HTTP/1.1" 200 5120 "-" "curl/8"
::1 - - [25/Nov/2026:22:31:00 +0000] "GET /no?x HTTP/1.1" 404 - "-" "a \\"quoted\\" agent"
rubbish

127.0.0.1 - - [25/Nov/2026:23:31:00 +0000] "GET /index.html?a=1 HTTP/1.1" 200 80
127.0.0.1 - - [25/Nov/2026:23:31:00 +0000] "-" 400 0
`;

const REPORT = `3 requests, 5200 bytes, 2 lines that are none

status
         2 2xx
         1 4xx

clients by requests
         2 127.0.0.1
         1 ::1

pages by bytes
      5200 /index.html

not found
         1 /no

busiest hours
         2 25/Nov/2026:22
         1 25/Nov/2026:23
`;

test('log_report reports on its input, or on files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-log-'));
  try {
    const { stdout, stderr, code } = await runCommand([example('log_report.lua')], { stdin: LOG });
    assert.deepEqual([stdout, stderr, code], [REPORT, '', 0]);
    const [a, b] = [join(folder, 'a.log'), join(folder, 'b.log')];
    const half = LOG.indexOf('::1');
    writeFileSync(a, LOG.slice(0, half));
    writeFileSync(b, LOG.slice(half));
    const of = (...files: string[]) => runCommand([example('log_report.lua'), '--', ...files]);
    assert.deepEqual((await of(a, b)).stdout, REPORT);
    const missing = await of(a, join(folder, 'missing'), b);
    assert.deepEqual([missing.stdout, missing.code], [REPORT, 1]);
    assert.match(missing.stderr, /missing: No such file or directory\n$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('log_report shows the first ten, and how many more there are', async () => {
  const lines = Array.from(
    { length: 14 },
    (_, i) => `10.0.0.${i} - - [25/Nov/2026:22:30:00 +0000] "GET /${i} HTTP/1.1" 200 ${i}\n`,
  );
  const { stdout } = await runCommand([example('log_report.lua')], { stdin: lines.join('') });
  assert.match(stdout, /pages by bytes\n {8}13 \/13\n {8}12 \/12\n/);
  assert.match(stdout, /\/4\n {11}4 more\n/);
});

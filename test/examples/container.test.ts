/** A container of its own: files, users, processes, network, terminal; as root and as another user. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN, runLua } from '../support/spec.ts';
import { noTerminal, ON_TERMINAL } from '../support/terminal.ts';
import { example } from './support.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const busybox = (process.env.PATH ?? '')
  .split(':')
  .map((dir) => join(dir, 'busybox'))
  .find(existsSync);

/** Why no container can be made here. */
function missing(uid: number | undefined): string | false {
  const addon = nativeFailure();
  if (addon) return addon;
  if (busybox === undefined) return 'busybox (busybox-static) is missing';
  if (spawnSync('sh', ['-c', `! ldd ${busybox}`], { stdio: 'ignore' }).status !== 0)
    return 'busybox is not the static one';
  const unshare = spawnSync('unshare', ['-Urmpf', '--mount-proc', 'true'], { uid, cwd: '/' });
  if (unshare.error || unshare.status !== 0) return 'namespaces with a /proc can not be made here';
  const node = spawnSync(process.execPath, ['--check', MAIN], { uid, cwd: '/' });
  return node.status === 0 ? false : 'this folder can not be read by other users';
}

function inside(
  command: string,
  uid: number | undefined,
  options: string[] = [],
  under: string[] = [],
) {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-container-'));
  chmodSync(folder, 0o777);
  try {
    const { status, stdout, stderr } = spawnSync(
      [...under, process.execPath][0]!,
      [
        ...[...under, process.execPath].slice(1),
        '--stack-size=3900',
        MAIN,
        example('container.lua'),
        ...['--', ...options, 'sh', '-c', command],
      ],
      {
        uid,
        gid: uid,
        cwd: '/',
        encoding: 'latin1',
        timeout: 300_000,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH, TMPDIR: folder, NODE_OPTIONS: '' },
      },
    );
    assert.deepEqual(readdirSync(folder), [], 'nothing stays behind');
    return { status, stderr, stdout: stdout.replaceAll('\r\n', '\n') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const SHOW = `
  id -u; id -g; hostname
  ls / | tr '\\n' ' '; echo
  ls /dev | tr '\\n' ' '; echo
[ $(ls -d /proc/[0-9]* | wc -l) -lt 9 ] && echo 'few processes'
  kill -0 ${process.pid} 2>/dev/null || echo 'no such process'
  ls /proc/${process.pid} >/dev/null 2>&1 || echo 'no such entry'
  echo written > /etc/file && cat /etc/file
  ifconfig -a | grep -c Link
  mount -t tmpfs x /tmp 2>/dev/null || echo 'no mounts'
  chroot / true 2>/dev/null || echo 'no chroot'
  cat /dev/zero | head -c 3 | wc -c; tty
  grep NoNewPrivs /proc/self/status
  exit 5
`;
const SHOWN = `0
0
container
bin dev etc proc root tmp 
fd full null ptmx pts random stderr stdin stdout tty urandom zero 
few processes
no such process
no such entry
written
1
no mounts
no chroot
3
/dev/pts/0
NoNewPrivs:\t1
`;

for (const [who, uid] of [
  [isRoot ? 'root' : 'this user', undefined],
  ['nobody', NOBODY],
] as const) {
  const skip = uid !== undefined && !isRoot ? 'only root can become somebody else' : missing(uid);

  test(`${who} has a container`, { skip, timeout: 300_000 }, () => {
    const { status, stdout, stderr } = inside(SHOW, uid);
    assert.equal(stderr, '');
    assert.equal(stdout, SHOWN);
    assert.equal(status, 5);
  });

  test(`${who} has one over a tree, which stays as it is`, { skip, timeout: 300_000 }, () => {
    const tree = mkdtempSync(join(tmpdir(), 'perilune-tree-'));
    try {
      chmodSync(tree, 0o755);
      mkdirSync(join(tree, 'bin'));
      copyFileSync(busybox!, join(tree, 'bin/sh'));
      const outcome = inside('echo x > /new; rm /bin/sh; ls -d /new /bin/sh', uid, [
        '--root',
        tree,
      ]);
      assert.equal(outcome.stderr, '');
      assert.match(outcome.stdout, /\/new/);
      assert.deepEqual(readdirSync(tree), ['bin']);
      assert.deepEqual(readdirSync(join(tree, 'bin')), ['sh']);
    } finally {
      rmSync(tree, { recursive: true, force: true });
    }
  });
}

test('a program that is not there, and a tree that is not', {
  skip: missing(undefined),
  timeout: 300_000,
}, () => {
  const { status, stdout, stderr } = inside('exec /no/such', undefined);
  assert.deepEqual([status, stderr], [127, '']);
  assert.match(stdout, /not found/);
  const without = inside('true', undefined, ['--root', '/no/such']);
  assert.deepEqual([without.status, without.stderr], [1, 'container: No such file or directory\n']);
});

const noNetwork = (): string | false => {
  if (!isRoot) return 'only root can make pairs of network devices';
  const probe = spawnSync('unshare', [
    '-n',
    'ip',
    'link',
    'add',
    'end0',
    'type',
    'veth',
    'peer',
    'name',
    'end1',
  ]);
  if (probe.status === 0) return false;
  return 'pairs of network devices can not be made here, or ip (iproute2) is missing';
};

test('root connects a container with the machine', {
  skip: missing(undefined) || noNetwork(),
  timeout: 300_000,
}, () => {
  // The machine's side is a namespace, too.
  const { status, stdout, stderr } = inside(
    `ifconfig eth0 | grep -o 'inet addr:[0-9.]*'
     nc -w 5 10.9.0.1 9 2>&1`,
    undefined,
    ['--network', '10.9.0'],
    ['unshare', '-n'],
  );
  assert.equal(stderr, '');
  assert.match(stdout, /^inet addr:10\.9\.0\.2\nnc: .*Connection refused\n$/);
  assert.equal(status, 1);
});

test('a shell in a container has job control', {
  skip: noTerminal || missing(undefined),
  timeout: 300_000,
}, async () => {
  const outcome = await runLua(`${ON_TERMINAL}
    local t = on_terminal(example 'container.lua')
    t.master:set_window_size(77, 33)
    t.expect '/ # '
    t.send 'tty; echo $((6 * 7))\\n'
    t.expect '/dev/pts/0'
    t.expect '42'
    for _ = 1, 500 do
      t.send 'stty size; echo "#"\\n'
      if t.expect '#\\r\\n':find '33 77' then print 'its size' break end
    end
    -- The program says that it has begun: keys before that are the shell's.
    t.send 'sh -c "echo be""gun; exec sleep 100"; echo status $?\\n'
    t.expect 'begun\\r\\n'
    t.send '\\3'
    t.expect '/ # '
    t.send 'sh -c "echo be""gun; exec sleep 100"\\n'
    t.expect 'begun\\r\\n'
    t.send '\\26'
    t.expect 'Stopped'
    t.send 'exit 9\\nexit 9\\n' -- once more: there are stopped jobs
    t.rest()
    print(t.process.exit_code)
  `);
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.stdout, 'its size\n9\n');
});

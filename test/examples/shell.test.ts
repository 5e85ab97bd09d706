import assert from 'node:assert/strict';
import test from 'node:test';
import { runCommand, runLua } from '../support/spec.ts';
import { noTerminal, ON_TERMINAL } from '../support/terminal.ts';
import { example } from './support.ts';

const shell = (stdin: string) =>
  runCommand([example('shell.lua')], {
    stdin,
    env: { NAME: `perilune-shell-${process.pid}`, PATH: '/usr/local/bin:/usr/bin:/bin' },
  });

/** What somebody does at a shell on a terminal. */
function session(name: string, program: string, expected: string): void {
  test(name, { skip: noTerminal, timeout: 300_000 }, async () => {
    const outcome = await runLua(
      `${ON_TERMINAL}
      local t = on_terminal(example 'shell.lua')
      local function type_in(line) t.send(line .. '\\n') t.expect(line .. '\\r\\n') end
      t.expect '$ '
      ${program}
      type_in 'exit 7'
      local rest = t.rest()
      print(rest, t.process.exit_code)`,
    );
    assert.equal(outcome.stderr, '');
    assert.equal(outcome.stdout.replaceAll('\r', ''), `${expected}\t7\n`);
  });
}

test('shell: pipes, redirections, quotes, lists, exit status', { skip: noTerminal }, async () => {
  const outcome = await shell(
    `
    echo one "two  \\"three\\" $?" 'four $HOME' five\\ six # a comment
    printf 'b\\na\\nc\\n' | sort | tr a-z A-Z > /tmp/$NAME; cat /tmp/$NAME; rm /tmp/$NAME
    cd /usr; pwd; cd bin; pwd
    false
    echo $?
    sh -c 'kill -9 $$'; echo $?
    no-such-program
    echo $?
    cd /no/such/place; echo $?
    cat < /no/such/file
    true &
    echo $?
    echo 'a
    | x
    exit 5
    echo never
  `.replaceAll(/^ {4}/gm, ''),
  );
  assert.equal(
    outcome.stdout,
    'one two  "three" 0 four $HOME five six\nA\nB\nC\n/usr\n/usr/bin\n1\n137\n127\n1\n0\n',
  );
  assert.deepEqual(
    outcome.stderr.split('\n').sort(),
    [
      '',
      'shell: cat: /no/such/file'.replace('cat: ', '') + ': No such file or directory',
      "shell: ' without an end",
      'shell: cd: /no/such/place: No such file or directory',
      'shell: no-such-program: command not found',
      'shell: nothing in front of |',
    ].sort(),
  );
  assert.equal(outcome.code, 5);
});

session(
  'shell: Ctrl-C ends the job in the foreground, not the shell; at the prompt it does nothing',
  `
  type_in 'cat'
  t.send 'it runs\\n'
  t.expect 'it runs' -- echoed
  t.expect 'it runs'
  t.send '\\3'
  t.expect '$ '
  t.send '\\3'
  type_in 'echo status $?'
  print((t.expect '$ '))
  `,
  'status 130\n\n',
);

session(
  'shell: Ctrl-Z stops a pipeline, bg and fg continue it',
  `
  type_in "sh -c 'echo started; read line; echo got $line' | cat"
  t.expect 'started'
  t.send '\\26'
  t.expect '[1]  Stopped'
  t.expect '$ '
  type_in 'jobs'
  print((t.expect '$ '))
  type_in 'sleep 100 &'
  t.expect '[2] '
  t.expect '$ '
  type_in 'fg 1'
  t.expect 'cat\\r\\n'
  t.send 'words\\n'
  t.expect 'got '
  print((t.expect '$ '))
  type_in 'jobs'
  print((t.expect '$ '))
  type_in 'fg'
  t.expect 'sleep 100 &'
  t.send '\\26'
  t.expect 'Stopped'
  t.expect '$ '
  type_in 'bg %2'
  print((t.expect '$ '))
  type_in 'fg 9'
  print((t.expect '$ '))
  `,
  `[1]  Stopped  sh -c 'echo started; read line; echo got $line' | cat

words

[2]  Running  sleep 100 &

[2]  Running  sleep 100 &

shell: 9: no such job

`,
);

session(
  'shell: fg and bg send no SIGCONT to what runs, which would take back a Ctrl-Z on its way',
  `
  type_in [[sh -c 'c=never; trap "c=once" CONT; trap "echo it was \\$c; exit" INT; echo ready; while :; do sleep 0.02; done' &]]
  t.expect 'ready\\r\\n'
  type_in 'bg'
  type_in 'fg'
  time.sleep(0.2) -- a SIGCONT would have arrived
  t.send '\\3'
  t.expect 'it was never'
  t.expect '$ '
  `,
  '',
);

session(
  'shell: a job in the background that reads the terminal is stopped; one that ends is announced',
  `
  type_in 'cat &'
  t.expect '[1] '
  t.expect '$ '
  type_in 'sh -c "sleep 0.05" &'
  t.expect '[2] '
  for _ = 1, 10000 do
    type_in 'jobs'
    local text = t.expect '$ '
    if text:find '%[1%]  Stopped' and not text:find '%[2%]  Running' then print 'so it is' break end
    time.sleep(0.01)
  end
  type_in 'fg 1'
  t.send '\\4'
  t.expect '$ '
  type_in 'echo fine'
  print((t.expect '$ '))
  `,
  'so it is\nfine\n\n',
);

session(
  'shell: settings of the terminal that a job leaves behind are set right; Ctrl-D ends the shell',
  `
  type_in 'stty -echo -icanon'
  t.expect '$ '
  type_in 'stty -a | grep -o -- "-*icanon"'
  print((t.expect '$ '))
  `,
  'icanon\n\n',
);

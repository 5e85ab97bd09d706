import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, startServer } from './support.ts';

test('chat_server has rooms, names and commands', { timeout: 300_000 }, async () => {
  const server = await startServer('chat_server.lua');
  try {
    const ann = new Client(server.port);
    await ann.expect('* guest1 joined lobby\n');
    const bob = new Client(server.port);
    await bob.expect('* guest2 joined lobby\n');
    await ann.expect('* guest2 joined lobby\n');
    ann.send('/nick ann\n');
    await bob.expect('* guest1 is now ann\n');
    ann.send('hello\r\n');
    await bob.expect('ann: hello\n');
    bob.send('/who\n');
    await bob.expect('* here: ann, guest2\n');
    bob.send('/join kitchen\n/dance\n');
    await bob.expect('* guest2 joined kitchen\n');
    await bob.expect('* no such command: /dance\n');
    await ann.expect('* guest2 left\n');
    ann.send('anybody?\n/quit\n');
    await ann.expect('* goodbye\n');
    await ann.closed();
    assert.equal(bob.text, '');
    bob.send(`${'x'.repeat(5000)}\n`); // longer than a line may be
    await bob.closed();
  } finally {
    await server.stop();
  }
});

test('a client that does not read holds nobody up, and is sent away', {
  timeout: 300_000,
}, async () => {
  const server = await startServer('chat_server.lua');
  try {
    const slow = new Client(server.port);
    await slow.expect('joined lobby\n');
    slow.socket.pause();
    const talker = new Client(server.port);
    const listener = new Client(server.port);
    await listener.expect('* guest3 joined lobby\n');
    // Until the slow one's buffers in the kernel, and then its queue, are full.
    for (let round = 0; ; round++) {
      assert.ok(round < 1000, 'the slow client was never sent away');
      talker.send(`${`${'y'.repeat(1000)}\n`.repeat(50)}round ${round}\n`);
      const heard = await listener.expect(`guest2: round ${round}\n`);
      if (heard.includes('* guest1 left\n')) break;
    }
    talker.send('/who\n');
    await talker.expect('* here: guest2, guest3\n');
  } finally {
    await server.stop();
  }
});

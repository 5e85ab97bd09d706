import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { nativeFailure } from '../../src/sys/native.ts';
import { openDescriptorsOf } from '../support/spec.ts';
import { Client, type Server, startServer } from './support.ts';

async function enter(server: Server, name: string, room = 'lobby'): Promise<Client> {
  const client = new Client(server.port);
  await client.expect('* your name, and perhaps a room?\n');
  client.send(`${name} ${room}\n`);
  await client.expect(`* ${name} came into ${room}\n`);
  return client;
}

for (const threads of [1, 2]) {
  const skip = threads > 1 && nativeFailure() !== undefined;
  test(`chat_rooms: who is in a room hears what is said there; threads: ${threads}`, {
    timeout: 300_000,
    skip,
  }, async () => {
    const server = await startServer('chat_rooms.lua', ['0', `${threads}`]);
    try {
      const ann = await enter(server, 'ann');
      const bob = await enter(server, 'bob');
      await ann.expect('* bob came into lobby\n');
      const cid = await enter(server, 'cid', 'kitchen');
      ann.send('hello\r\n');
      await bob.expect('ann: hello\n');
      // What has been read with the command goes along.
      bob.send('/dance\n/who\n/join kitchen\nis it warm?\n/who\n');
      await bob.expect('* no such command: /dance\n* here: ann, bob\n');
      await bob.expect('* bob came into kitchen\n');
      await ann.expect('* bob left\n');
      await cid.expect('* bob came into kitchen\nbob: is it warm?\n');
      await bob.expect('* here: bob, cid\n');
      ann.send('anybody?\n/quit\nignored');
      await ann.expect('* goodbye\n');
      await ann.closed();
      // A room that is empty goes, and comes again.
      for (let i = 0; i < 3; i++) {
        cid.send(`/join attic\n/join cellar\n/join kitchen\n`);
        await cid.expect('* cid came into attic\n');
        await cid.expect('* cid came into cellar\n');
        await cid.expect('* cid came into kitchen\n');
        await bob.expect('* cid left\n* cid came into kitchen\n');
      }
      assert.equal(bob.text, '');
      assert.equal(cid.text, '');
      cid.send(`${'x'.repeat(5000)}\n`); // longer than a line may be
      await cid.closed();
      await bob.expect('* cid left\n');
      const nobody = new Client(server.port);
      nobody.send('\n');
      await nobody.closed();
    } finally {
      await server.stop();
    }
  });
}

test('chat_rooms: sockets that have gone from room to room are open once', {
  timeout: 300_000,
}, async () => {
  const server = await startServer('chat_rooms.lua');
  try {
    const first = await enter(server, 'ann');
    const open = (): number => openDescriptorsOf(server.pid).length;
    first.send('/who\n');
    await first.expect('* here: ann\n');
    const before = open();
    const traveller = await enter(server, 'bob', 'r0');
    for (let i = 1; i <= 30; i++) {
      traveller.send(`/join r${i}\n`);
      await traveller.expect(`* bob came into r${i}\n`);
    }
    while (open() > before + 1) await setTimeout(10); // what has been sent is closed a moment later
    traveller.send('/quit\n');
    await traveller.closed();
    first.send('/who\n');
    await first.expect('* here: ann\n');
    while (open() > before) await setTimeout(10);
  } finally {
    await server.stop();
  }
});

test('chat_rooms: a client that does not read holds nobody up, and is sent away', {
  timeout: 300_000,
}, async () => {
  const server = await startServer('chat_rooms.lua');
  try {
    const slow = await enter(server, 'slow');
    slow.socket.pause();
    const talker = await enter(server, 'talker');
    const listener = await enter(server, 'listener');
    const other = await enter(server, 'other', 'quiet');
    // Until the slow one's buffers in the kernel, and then its queue, are full.
    for (let round = 0; ; round++) {
      assert.ok(round < 1000, 'the slow client was never sent away');
      talker.send(`${`${'y'.repeat(1000)}\n`.repeat(50)}round ${round}\n`);
      const heard = await listener.expect(`talker: round ${round}\n`);
      if (heard.includes('* slow left\n')) break;
    }
    talker.send('/who\n');
    await talker.expect('* here: listener, talker\n');
    assert.equal(other.text, '');
  } finally {
    await server.stop();
  }
});

import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IoGroup } from '../../src/io/group.ts';
import { PacketReceiver, packetPair } from '../../src/io/packet.ts';
import { EPIPE } from '../../src/sys/errno.ts';
import { close, dup } from '../../src/sys/fd.ts';
import { getLinger, MSG_DONTWAIT, setLinger } from '../../src/sys/socket.ts';
import { sendmsgUnix } from '../../src/sys/unix.ts';
import { connected, ioTest, openFds } from './support.ts';

const send = (socket: number, bytes: number, fds: number[]): number =>
  sendmsgUnix(socket, new Uint8Array(8), 0, bytes, MSG_DONTWAIT, undefined, Int32Array.from(fds));

for (const isGone of [false, true]) {
  ioTest(
    `descriptors that nobody received don't hold up closing; sender gone: ${isGone}`,
    async (group) => {
      const [near, far] = await connected(group);
      near.setLinger(true, 3600);
      const lingers = near.release();
      const same = dup(lingers); // the kernel waits only where nobody else has it: here it doesn't
      const before = openFds().length;
      const { sender, receiver } = packetPair();
      const end = new PacketReceiver(receiver, group, () => {});
      assert.equal(end.watch(), 0);
      // An empty packet is what the end looks like.
      for (const fds of [[], [], [lingers, lingers], [], Array<number>(253).fill(lingers), []]) {
        const bytes = fds.length === 2 ? 0 : Math.min(fds.length, 8);
        assert.equal(send(sender, bytes, fds), bytes);
      }
      if (isGone) close(sender);
      end.close();
      end.close();
      assert.equal(getLinger(same).on, false);
      if (!isGone) {
        setLinger(same, true, 3600);
        assert.equal(send(sender, 1, [lingers]), -EPIPE);
        close(sender);
      }
      assert.equal(openFds().length, before);
      close(lingers);
      close(same);
      far.close();
    },
  );
}

// ── who receives one message after the other waits without asking first ──

class Watched extends PacketReceiver {
  readonly sender: number;
  events = 0;
  /** Attempts that found nothing. */
  inVain = 0;
  private readonly into = new Uint8Array(8);
  private readonly out = new Int32Array(4);

  constructor(group: IoGroup) {
    const { sender, receiver } = packetPair();
    super(receiver, group, () => {});
    this.sender = sender;
    this.waitsByLevel = true;
    assert.equal(this.watch(), 0);
  }

  override onEvents(): void {
    this.events++;
    super.onEvents();
  }

  /** @returns the first byte; undefined: there is nothing now; -1: the end */
  take(): number | undefined {
    const packet = this.receive(this.into, this.out);
    if (packet.kind === 'none') this.inVain++;
    else return packet.kind === 'packet' ? this.into[0] : -1;
    return undefined;
  }

  /** As a fiber does: it asks where something may be, and waits. */
  async next(): Promise<number> {
    for (let turns = 0; turns < 1000; turns++) {
      const first = this.ready ? this.take() : undefined;
      if (first !== undefined) return first;
      await nextTurn();
    }
    throw new Error('nothing comes');
  }

  put(n: number): void {
    assert.equal(
      sendmsgUnix(this.sender, Uint8Array.of(n), 0, 1, 0, undefined, new Int32Array(0)),
      1,
    );
  }

  /** Messages there and back, until nothing is asked for in vain. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) {
      const next = this.next();
      await nextTurn();
      this.put(i);
      assert.equal(await next, i);
    }
    assert.equal(this.ready, false);
  }
}

ioTest('one message after the other: hardly any attempt is in vain', async (group) => {
  const end = new Watched(group);
  await end.settle();
  end.inVain = 0;
  for (let i = 0; i < 160; i++) {
    const next = end.next();
    await nextTurn();
    end.put(i);
    assert.equal(await next, i);
  }
  assert.ok(end.inVain <= 11, `${end.inVain} of 160`);
  close(end.sender);
  assert.equal(await end.next(), -1);
  end.close();
});

ioTest('a message that nobody asks for brings no event after event', async (group) => {
  const end = new Watched(group);
  await end.settle();
  end.events = 0;
  end.put(1);
  for (let i = 0; i < 50; i++) await nextTurn();
  assert.ok(end.events >= 1 && end.events <= 3, `${end.events} events`);
  assert.equal(end.take(), 1);
  assert.equal(end.take(), undefined);
  const next = end.next();
  await nextTurn();
  end.put(2);
  assert.equal(await next, 2);
  close(end.sender);
  end.close();
});

ioTest('many messages at once are soon received without an event for each', async (group) => {
  const end = new Watched(group);
  await end.settle();
  end.events = 0;
  for (let i = 0; i < 100; i++) end.put(i);
  for (let i = 0; i < 100; i++) assert.equal(await end.next(), i);
  assert.ok(end.events <= 20, `${end.events} events`);
  close(end.sender);
  end.close();
});

ioTest('the end comes to who waits for an event, and to who never asks', async (group) => {
  for (const asks of [true, false]) {
    const end = new Watched(group);
    await end.settle();
    end.put(7);
    close(end.sender);
    end.events = 0;
    if (asks) assert.deepEqual([await end.next(), await end.next()], [7, -1]);
    else {
      for (let i = 0; i < 50; i++) await nextTurn();
      assert.ok(end.events <= 3, `${end.events} events`);
    }
    end.close();
  }
});

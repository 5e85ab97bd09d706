import assert from 'node:assert/strict';
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

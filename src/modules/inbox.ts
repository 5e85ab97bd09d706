/** `require 'inbox'`: the receiving end of the VM. */
import { Inbox } from '../actors/message.ts';
import { receiveFrom } from '../actors/receive.ts';
import { tracing } from '../actors/trace.ts';
import { badArgument } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { type LuaModule, luaType } from './define.ts';

/** Suspends until there is a message. */
const receive = (self: Inbox): Result => receiveFrom(self.mailbox, self);

function setHighWater({ mailbox }: Inbox, n: LuaValue): void {
  if (typeof n !== 'number' || !(n >= 0) || (n !== Infinity && !Number.isInteger(n)))
    throw badArgument(3);
  mailbox.setHighWater(n);
}

luaType('rx-channel', Inbox, {
  methods: {
    receive,
    close: ({ mailbox }) => {
      if (!mailbox.closed) tracing.on?.did('close', tracing.on.actorOf(mailbox));
      mailbox.close();
      return NONE;
    },
  },
  properties: {
    high_water: ({ mailbox }) => mailbox.highWater,
  },
  setters: { high_water: setHighWater },
  length: ({ mailbox }) => mailbox.length,
});

export const inbox: LuaModule = {
  name: 'inbox',
  create: (vm) => {
    vm.inboxImported = true;
    return vm.inbox;
  },
};

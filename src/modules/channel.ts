/** `require 'channel'`: bounded channels between the fibers of one VM. Ours, not Emilua's. */
import { Channel, Receiving, Sending } from '../fibers/channel.ts';
import { suspend, suspensionPoint } from '../fibers/suspend.ts';
import { optInteger } from '../runtime/check.ts';
import { LuaError } from '../runtime/error.ts';
import { badArgument, coreCategory, coreCode, isError } from '../runtime/error-code.ts';
import { type LuaFunction, type LuaValue, NONE, type Result } from '../runtime/value.ts';
import { luaModule, luaType } from './define.ts';

function create(capacity: LuaValue): Channel {
  const n = optInteger(capacity, 1, 'new', 0);
  if (n < 0) throw badArgument(1);
  return new Channel(n);
}

/** Suspends while the channel is full. */
function send(self: Channel, value: LuaValue): Result {
  suspensionPoint();
  if (self.trySend(value)) return NONE;
  return suspend((waiter) => {
    waiter.waitsFor = self;
    return self.awaitRoom(waiter, value);
  });
}

/** Suspends while it is empty. */
function receive(self: Channel): Result {
  return suspend((waiter) => {
    waiter.waitsFor = self;
    return self.tryReceive(waiter) ? undefined : self.awaitValue(waiter);
  });
}

/** (true, value) or false. */
function tryReceive(self: Channel): Result {
  let got: Result = false;
  self.tryReceive({
    settled: false,
    wake(value) {
      got = [true, value];
    },
    fail(error) {
      throw error;
    },
  });
  return got;
}

const isClosed = (error: unknown): boolean =>
  error instanceof LuaError && isError(error.value, coreCategory, coreCode('channel_closed'));

/** For `for value in ch:values() do`: ends when the channel is closed and empty, or at a nil value. */
function values(self: Channel): LuaFunction {
  return () =>
    suspend((waiter) => {
      waiter.waitsFor = self;
      const receiver = {
        get settled() {
          return waiter.settled;
        },
        wake: (value: Result) => waiter.wake(value),
        fail: (error: unknown) => (isClosed(error) ? waiter.wake(undefined) : waiter.fail(error)),
      };
      return self.tryReceive(receiver) ? undefined : self.awaitValue(receiver);
    });
}

luaType('fiber_channel', Channel, {
  methods: {
    send,
    try_send: (self, value: LuaValue) => self.trySend(value),
    receive,
    try_receive: tryReceive,
    values,
    close: (self) => {
      self.close();
      return NONE;
    },
    receiving: (self) => new Receiving(self),
    sending: (self, value: LuaValue) => new Sending(self, value),
  },
  properties: {
    capacity: (self) => self.capacity,
    closed: (self) => self.closed,
  },
  length: (self) => self.length,
});
luaType('select_case', Receiving, {});
luaType('select_case', Sending, {});

export const channel = luaModule('channel', { new: create });

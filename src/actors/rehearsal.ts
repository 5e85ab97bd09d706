/**
 * An actor that runs for nobody: what most processes of actors do until their first messages, gone through before
 * there is one, so that code and memory are ready.
 */
import { closeAll, packetPair, sendAtOnce } from '../io/packet.ts';
import { encodeFrame, MAX_FRAME } from './frame.ts';
import type { ProcessTask } from './process-task.ts';

/** What each actor does: it answers, and waits. Then it ends. */
const BRIEF_PROGRAM = `
  local inbox, system, time = require 'inbox', require 'system', require 'time'
  local home = inbox:receive()
  home:send(1)
  inbox:receive()
`;

/** It sends what it gets, and has a bit of everything that makes up programs: the compiler is to be ready, too. */
const PROGRAM = `
  local inbox, system, time = require 'inbox', require 'system', require 'time'
  local floor, insert = math.floor, table.insert
  local home = inbox:receive()
  local state = {count = 0, names = {'a', 'b'}, [1] = true}
  local function report(kind, ...)
    state.count = state.count + 1
    if kind == 'number' and select('#', ...) > 0 then
      return ('%s %d'):format(kind, (...))
    elseif not state[kind] or #kind > 20 then
      state[kind] = {}
    else
      error('known: ' .. kind)
    end
    return tostring(kind)
  end
  function serve(message)
    local text = message.text
    for i, name in ipairs(state.names) do
      local last = i * 2 - 1
      if last ~= 3 and name < 'b' then text = text .. name end
    end
    for key, value in pairs(message) do report(key, value) end
    for i = 10, 1, -3 do report('number', i % 4, floor(i / 2)) insert(state.names, 'c') end
    local ok, problem = pcall(function() return report('text') end)
    while not ok do ok = problem ~= nil end
    repeat local done = state.count > 2 until done
    state.at = {time.steady_clock.now(), system.arguments[1]}
    return {text = text, count = state.count}
  end
  home:send(serve(inbox:receive()))
  spawn(function() home:send(state.count) end):join()
`;

const taskOf = (program: string): ProcessTask => ({
  file: '/rehearsal/actor.lua',
  root: '/rehearsal',
  id: './actor',
  trace: undefined,
  suspendAll: false,
  isAlone: false,
  init: undefined,
  initTimeout: undefined,
  hasService: false,
  walls: undefined,
  environment: [],
  compiled: [],
  sources: [['/rehearsal/actor.lua', program]],
});

export const REHEARSAL = taskOf(PROGRAM);
export const BRIEF_REHEARSAL = taskOf(BRIEF_PROGRAM);

/** The inbox of the one, with its first message in it. */
export class RehearsalInbox {
  /** The actor's. */
  readonly receiver: number;
  private readonly sender: number;
  private readonly home: number;

  constructor() {
    const inbox = packetPair();
    const home = packetPair();
    this.receiver = inbox.receiver;
    this.sender = inbox.sender;
    this.home = home.receiver;
    const frame = new Uint8Array(MAX_FRAME);
    const members = [{ key: '', value: { carries: 'address' } }] as const;
    sendAtOnce(this.sender, frame, encodeFrame({ isTable: false, members }, frame)!, [home.sender]);
    closeAll([home.sender]);
  }

  sendSecond(): void {
    const frame = new Uint8Array(MAX_FRAME);
    const members = [{ key: 'text', value: 'x' }];
    sendAtOnce(this.sender, frame, encodeFrame({ isTable: true, members }, frame)!, []);
  }

  close(): void {
    closeAll([this.sender, this.home]);
  }
}

/** Programs on a pseudo-terminal of their own, driven by a program in Lua that types and reads. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nativeFailure } from '../../src/sys/native.ts';
import { MAIN } from './spec.ts';

/** Why there can be none. */
export const noTerminal: string | false =
  nativeFailure() ?? (existsSync('/dev/ptmx') ? false : 'there is no /dev/ptmx');

const quoted = (text: string): string => JSON.stringify(text);

/**
 * `on_terminal(arguments[, options]) -> t`: starts a program in a session of its own.
 * - `t.send(text)`; `t.expect(text) -> string`: reads until that has come, gives what came before it
 * - `t.rest() -> string`: what comes until the program and all that have its terminal have ended
 * - `t.master`, `t.process`
 * What takes too long is killed. `perilune(file, …)` and `example(name, …)` are the arguments for
 * a program of ours, and one in examples/.
 */
export const ON_TERMINAL = `
  local system, stream, serial_port, time = require 'system', require 'stream', require 'serial_port', require 'time'
  local signal = system.signal
  local function perilune(file, ...)
    return {${quoted(process.execPath)}, '--stack-size=3900', ${quoted(MAIN)}, file, '--', ...}
  end
  local function example(name, ...)
    return perilune(${quoted(join(import.meta.dirname, '../../examples'))} .. '/' .. name, ...)
  end
  local function on_terminal(arguments, options)
    local master, slave = serial_port.ptypair()
    local spawning = options or {}
    spawning.program, spawning.arguments = arguments[1], arguments
    spawning.environment = spawning.environment or system.environment
    spawning.stdin, spawning.stdout, spawning.stderr = slave, slave, slave
    spawning.start_new_session, spawning.set_ctty = true, slave
    local p = system.spawn(spawning)
    slave:close()
    local text, buffer = '', byte_span.new(4096)
    local watchdog = spawn(function() time.sleep(240) p:kill(signal.SIGKILL) end)
    local function more()
      local ok, n = pcall(master.read_some, master, buffer)
      if ok then text = text .. tostring(buffer:first(n)) end
      return ok
    end
    return {
      master = master, process = p,
      send = function(keys) stream.write_all(master, keys) end,
      expect = function(wanted)
        while true do
          local from, to = text:find(wanted, 1, true)
          if from then
            local before = text:sub(1, from - 1)
            text = text:sub(to + 1)
            return before
          end
          if not more() then error(('%q did not come, but %q'):format(wanted, text)) end
        end
      end,
      rest = function()
        while more() do end
        watchdog:interrupt()
        watchdog:join()
        p:wait()
        master:close()
        return text
      end,
    }
  end
`;

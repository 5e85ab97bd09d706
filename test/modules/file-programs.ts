/** What programs that test `file` begin with. */

/** Names for new files, and files opened by name; needs `file`. */
export const inFolder = (folder: string): string => `\
  local ge, ae = require 'generic_error', require 'asio_error'
  local folder = '${folder}'
  FILES = 0
  local function name()
    FILES = FILES + 1
    return folder .. '/' .. tostring({}):match('0x%x+') .. FILES
  end
  local function bytes(s) return byte_span.append(s) end
  local fs = require 'filesystem'
  local function stream_of(path, ...)
    local f = file.stream.new()
    f:open(fs.path.new(path), {...})
    return f
  end
  local function random_of(path, ...)
    local f = file.random_access.new()
    f:open(fs.path.new(path), {...})
    return f
  end
`;

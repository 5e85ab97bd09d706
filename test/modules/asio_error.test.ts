import { spec } from '../support/spec.ts';

spec(
  'errors by the names of asio, in four categories',
  `
  local ae = require 'asio_error'
  for _, e in ipairs{
    ae.basic.operation_aborted, ae.basic.access_denied, ae.netdb.host_not_found,
    ae.addrinfo.service_not_found, ae.misc.eof, ae.misc.not_found,
  } do print(e.category, e.code, e) end
  print(ae.misc.eof == ae.misc.eof, rawequal(ae.misc.eof, ae.misc.eof))
`,
  'system\t125\tOperation canceled\nsystem\t13\tPermission denied\n' +
    'asio.netdb\t1\tHost not found (authoritative)\nasio.addrinfo\t-8\tService not found\n' +
    'asio.misc\t2\tEnd of file\nasio.misc\t3\tElement not found\ntrue\tfalse\n',
);

spec(
  'errors of different categories differ; togeneric makes system errors portable',
  `
  local ae, ge = require 'asio_error', require 'generic_error'
  print(ae.basic.no_permission == ge.EPERM, ae.basic.no_permission:togeneric() == ge.EPERM)
  print(ae.netdb.host_not_found == ae.misc.already_open, ae.misc.eof:togeneric() == ae.misc.eof)
`,
  'false\ttrue\nfalse\ttrue\n',
);

spec(
  'unknown names are bad_index',
  `
  local ae = require 'asio_error'
  print(pcall(function() return ae.nothing end))
  print(pcall(function() return ae.misc.nothing end))
`,
  "false\tRequested key wasn't found in the table/userdata\n".repeat(2),
);

spec(
  'all names, with the codes of this system',
  `
  local ae = require 'asio_error'
  local function show(group, names)
    local codes = {}
    for name in names:gmatch('%S+') do
      local e = ae[group][name]
      assert(not tostring(e):find('Unknown') and rawequal(e, ae[group][name]) == false, name)
      codes[#codes + 1] = e.code
    end
    print(group, table.concat(codes, ' '))
  end
  show('basic', [[access_denied address_family_not_supported address_in_use already_connected already_started broken_pipe
    connection_aborted connection_refused connection_reset bad_descriptor fault host_unreachable in_progress interrupted
    invalid_argument message_size name_too_long network_down network_reset network_unreachable no_descriptors no_buffer_space
    no_memory no_permission no_protocol_option no_such_device not_connected not_socket operation_aborted operation_not_supported
    shut_down timed_out try_again would_block]])
  show('netdb', 'host_not_found host_not_found_try_again no_data no_recovery')
  show('addrinfo', 'service_not_found socket_type_not_supported')
  show('misc', 'already_open eof not_found fd_set_failure')
`,
  `basic	13 97 98 106 114 32 103 111 104 9 14 113 115 4 22 90 36 100 102 101 24 105 12 1 92 19 107 88 125 95 108 110 11 11
netdb	1 2 4 3
addrinfo	-8 -7
misc	1 2 3 4
`,
);

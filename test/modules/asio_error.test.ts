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

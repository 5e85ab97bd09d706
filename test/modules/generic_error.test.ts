import { spec } from '../support/spec.ts';

spec(
  'each access makes a new error object',
  `
  local ge = require 'generic_error'
  local a, b = ge.EINVAL, ge.EINVAL
  a.note = 'mine'
  print(a == b, rawequal(a, b), b.note, a.code, tostring(a.category), getmetatable(a))
  print(ge.EPERM == ge.EINVAL, ge.EWOULDBLOCK == ge.EAGAIN, ge.ENOTSUP)
`,
  'true\tfalse\tnil\t22\tgeneric\terror_code\nfalse\ttrue\tOperation not supported\n',
);

spec(
  'an unknown name is bad_index, and the object is read-only',
  `
  local ge = require 'generic_error'
  for _, f in ipairs{function() return ge.ENODATA end, function() return ge[1] end, function() ge.X = 1 end} do
    local ok, e = pcall(f)
    print(e, e.index, e.key)
  end
`,
  `Requested key wasn't found in the table/userdata\t2\tENODATA
Requested key wasn't found in the table/userdata\t2\tnil
Operation not permitted\tnil\tnil
`,
);

spec(
  'a category says its name and the meaning of its codes, called either way',
  `
  local c = require('generic_error').EPIPE.category
  print(c, c:message(32), c.message(2), getmetatable(c), c:message(99999))
  print(c == require('generic_error').EBADF.category)
  for _, code in ipairs { 'x', 0 / 0, 1.5, 1e300 } do
    local ok, e = pcall(c.message, c, code) print(e, e.arg)
  end
  local ok, e = pcall(function() return c.x end) print(e)
`,
  'generic\tBroken pipe\tNo such file or directory\terror_category\tUnknown error 99999\ntrue\n' +
    `${'Invalid argument\t2\n'.repeat(4)}Requested key wasn't found in the table/userdata\n`,
);

spec(
  'all names of portable errors, and no others',
  `
  local ge = require 'generic_error'
  local count = 0
  for name in ([[EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL EISCONN E2BIG EDOM EFAULT EBADF EBADMSG EPIPE ECONNABORTED EALREADY
      ECONNREFUSED ECONNRESET EXDEV EDESTADDRREQ EBUSY ENOTEMPTY ENOEXEC EEXIST EFBIG ENAMETOOLONG ENOSYS EHOSTUNREACH EIDRM
      EILSEQ ENOTTY EINTR EINVAL ESPIPE EIO EISDIR EMSGSIZE ENETDOWN ENETRESET ENETUNREACH ENOBUFS ECHILD ENOLINK ENOLCK ENOMSG
      ENOPROTOOPT ENOSPC ENXIO ENODEV ENOENT ESRCH ENOTDIR ENOTSOCK ENOTCONN ENOMEM ENOTSUP ECANCELED EINPROGRESS EPERM
      EOPNOTSUPP EWOULDBLOCK EOWNERDEAD EACCES EPROTO EPROTONOSUPPORT EROFS EDEADLK EAGAIN ERANGE ENOTRECOVERABLE ETXTBSY
      ETIMEDOUT ENFILE EMFILE EMLINK ELOOP EOVERFLOW EPROTOTYPE]]):gmatch('%S+') do
    local e = ge[name]
    assert(getmetatable(e) == 'error_code' and tostring(e.category) == 'generic', name)
    assert(e.code > 0 and not tostring(e):find('Unknown'), name)
    count = count + 1
  end
  local absent = 0
  for _, name in ipairs { 'ENODATA', 'ENOSR', 'ENOSTR', 'ETIME', 'EWHAT', 'einval', 1, true } do
    local ok, e = pcall(function() return ge[name] end)
    if not ok and e.index == 2 then absent = absent + 1 end
  end
  print(count, absent)
`,
  '74\t8\n',
);

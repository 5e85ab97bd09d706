{
  'targets': [
    {
      # One .c file per file in src/sys/, and addon.c: see native/.
      'target_name': 'perilune',
      # hidden: a function asks once where the thread's variables are, not once for each of them.
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
      'cflags_c': ['-std=gnu11'],
      'conditions': [
        # The others are of epoll, io_uring, pidfd, namespaces, seccomp and the like, or of no use without them.
        ['OS=="freebsd"', {
          'sources': ['native/addon.c', 'native/fault.c', 'native/fd.c', 'native/freebsd.c'],
          'libraries': ['-ljail'],
        }, {
          'sources': ['<!@(ls native/*.c)', 'native/libc-service/client.c'],
          'dependencies': ['filter'],
        }],
      ],
      # lazy: a Node without OpenSSL's functions runs all but tls.c.
      # Threads of resolver.c may run on when the last environment that loaded it has ended.
      'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,lazy'],
      'defines': ['_GNU_SOURCE', 'NAPI_VERSION=9'],
    },
  ],
  'conditions': [['OS!="freebsd"', {'targets': [
    {
      # The Lua of native/init-script/ as C, which scripts/prepare.ts has written there. -O1: half the time to compile.
      'target_name': 'lua51',
      'type': 'static_library',
      'sources': ['native/libc-service/lua51.c'],
      'configurations': {'Release': {'cflags!': ['-O3']}},
      'cflags': ['-O1', '-w', '-fPIC', '-fvisibility=hidden', '-fno-math-errno', '-ffp-contract=off', '-fno-strict-aliasing'],
      'cflags_c': ['-std=gnu11'],
    },
    {
      # Filters of libc_service, for what runs in processes without Node: with host_calls.c it needs nothing but libc.
      'target_name': 'filter',
      'type': 'static_library',
      'sources': ['native/libc-service/filter.c'],
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-fvisibility=hidden'],
      'cflags_c': ['-std=gnu11'],
      'defines': ['_GNU_SOURCE'],
      'dependencies': ['lua51'],
      'export_dependent_settings': ['lua51'],
    },
    {
      # What bin/start.cjs loads at every start.
      'target_name': 'start',
      'sources': ['native/start/start.c'],
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror'],
      'cflags_c': ['-std=gnu11'],
      'ldflags': ['-Wl,-z,now'],
      'defines': ['_GNU_SOURCE', 'NAPI_VERSION=10'],
    },
    {
      # No addon, for all its name, which node-gyp gives it: bin/perilune has the dynamic linker load it before Node.
      'target_name': 'heap',
      'sources': ['native/start/heap.c'],
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror'],
      'cflags_c': ['-std=gnu11'],
      'ldflags': ['-Wl,-z,now'],
      'defines': ['_GNU_SOURCE'],
    },
    {
      # Nor is this, which programs that know nothing of Perilune are given: docs/ref/libc_service.md.
      'target_name': 'libc_service',
      'type': 'shared_library',
      'product_name': 'libc_service', # gyp would leave out the lib
      'sources': ['native/libc-service/client.c', 'native/libc-service/preload.c', 'native/host_calls.c'],
      'dependencies': ['filter'],
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden', '-ftls-model=initial-exec'],
      'cflags_c': ['-std=gnu11'],
      'ldflags': ['-Wl,-z,now', '-Wl,--as-needed'],
      'defines': ['_GNU_SOURCE'],
    },
  ]}]],
}

{
  'targets': [
    {
      # One .c file per file in src/sys/, and addon.c: see native/.
      'target_name': 'perilune',
      'sources': ['<!@(ls native/*.c)'],
      'cflags': ['-O2', '-Wall', '-Wextra', '-Werror'],
      'cflags_c': ['-std=gnu11'],
      'defines': ['_GNU_SOURCE', 'NAPI_VERSION=9'],
    },
  ],
}

#!/bin/sh
# Makes lua51.wasm, the same bytes every time: docs/decisions/ has which packages, and the hash.
#   native/init-script/build.sh LUA_SOURCE [OUTPUT]
# LUA_SOURCE is what `apt-get source lua5.1` unpacks: Lua 5.1.5 with Debian's patches.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$1" && pwd)
output=${2:-$here/lua51.wasm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$source"/src/*.c "$source"/src/*.h "$work"
rm -f "$work/lua.c" "$work/luac.c" "$work/print.c"
cat "$here/config.h" >> "$work/luaconf.h"
cp "$here"/*.c "$here"/*.h "$work"
rm "$work/config.h"

cd "$work"
${CLANG:-clang-14} --target=wasm32-wasi -std=gnu11 -Os -nostdlibinc -isystem "$here/include" \
  -isystem /usr/include/wasm32-wasi -I. -w -nostartfiles \
  -Wl,--no-entry -Wl,--export=__stack_pointer -Wl,--export=__wasm_call_ctors \
  -Wl,--import-memory -Wl,--initial-memory=1048576 -Wl,--max-memory=1048576 \
  -Wl,-z,stack-size=196608 -Wl,--stack-first -Wl,--strip-all -Wl,--gc-sections \
  -o module.wasm ./*.c
mv module.wasm "$output"
chmod 644 "$output"
sha256sum "$output"

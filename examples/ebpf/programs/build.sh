#!/bin/sh
# Builds the objects beside the programs. They are committed: tests do not need a compiler.
#
#   sh build.sh          with clang, for the third version of the instruction set
#   sh build.sh zig      the programs of ZIG with zig instead, for the fourth
set -eu
cd "$(dirname "$0")"

CLANG='crc32 hash_table heap_sort headers matrix search helpers'
ZIG=calls

case ${1:-clang} in
clang)
    for name in $CLANG; do
        ${CLANG_BIN:-clang} -target bpfel -mcpu=v3 -O2 -fno-builtin -Wall -Werror -c "$name.c" -o "$name.o"
    done
    ;;
zig)
    for name in $ZIG; do
        ${ZIG_BIN:-zig} cc -target bpfel-freestanding -mcpu=v4 -O2 -fno-builtin -fno-sanitize=all -Wall -Werror -g0 -c "$name.c" -o "$name.o"
    done
    ;;
esac

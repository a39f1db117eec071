// Calls helpers, near and far ones, with up to five arguments, and keeps values across them. Ends early, in a
// function and by a helper, where the input has a byte of zero.

#include "program.h"

extern u64 gather_bytes(u64, u64, u64, u64, u64);
extern u64 sum_bytes(const u8 *, u64);
extern u64 mix(u64, u64, u64, u64, u64);
extern u64 fill(u8 *, u64, u64);
extern u64 unwind(u64);

NOINLINE u64 step(u64 mixed, u64 byte, u64 i) {
    unwind(byte);
    u64 gathered = gather_bytes(i, byte, mixed, mixed >> 8, mixed >> 16);
    return mix(mixed, gathered, byte, i, ~mixed) + gathered;
}

u64 helpers(u8 *input, u64 len) {
    u8 scratch[24];
    u64 mixed = sum_bytes(input, len);
    for (u64 i = 0; i < len; i++) {
        fill(scratch, sizeof scratch, input[i]);
        mixed = step(mixed, input[i], i) + sum_bytes(scratch, sizeof scratch);
    }
    return mixed;
}

// Functions four deep, each with values that the others must leave alone, and with arrays on the stack.

#include "program.h"

NOINLINE u64 fourth(u64 a, u64 b, u64 c, u64 d, u64 e) { return (a ^ b) * 31 + (c ^ d) - e; }

NOINLINE u64 third(const u64 *values, u64 at) {
    u64 sum = at;
    for (u64 i = 0; i < 4; i++)
        sum += fourth(values[i], values[(i + at) % 4], sum, i, at);
    return sum;
}

NOINLINE u64 second(u64 seed, u64 rounds) {
    volatile u64 kept[4];
    u64 values[4], sum = 0;
    for (u64 i = 0; i < 4; i++) {
        values[i] = seed * (i + 3);
        kept[i] = seed + i;
    }
    for (u64 i = 0; i < rounds; i++)
        sum += third(values, i) ^ kept[i % 4];
    return sum;
}

u64 calls(const u8 *input, u64 len) {
    u64 before = len * 7, sum = 0;
    for (u64 i = 0; i < len; i++)
        sum = sum * 3 + second(input[i], i % 5) + before;
    return sum;
}

// Finds a string by Horspool's algorithm. The input is the string's length in one byte, the string, and the text.
// Returns how often it occurs, in the upper half, and where it does first, counted from the start of the text.

#include "program.h"

static u8 shifts[256];

u64 search(const u8 *input, u64 len) {
    if (len == 0 || input[0] == 0 || len < 1 + (u64)input[0])
        return -1;
    u64 wanted_len = input[0], found = 0, first = 0xffffffff;
    const u8 *wanted = input + 1, *text = wanted + wanted_len;
    u64 text_len = len - 1 - wanted_len;
    for (u64 i = 0; i < 256; i++)
        shifts[i] = wanted_len;
    for (u64 i = 0; i + 1 < wanted_len; i++)
        shifts[wanted[i]] = wanted_len - 1 - i;
    u64 at = 0;
    while (at + wanted_len <= text_len) {
        u64 same = wanted_len;
        while (same > 0 && text[at + same - 1] == wanted[same - 1])
            same--;
        if (same == 0) {
            if (found == 0)
                first = at;
            found++;
        }
        at += shifts[text[at + wanted_len - 1]];
    }
    return found << 32 | first;
}

// Multiplies two matrices of 32-bit numbers. The input is the number of rows in 8 bytes, the two, and room for the
// product. Returns the sum of its diagonal.

#include "program.h"

u64 matrix(u8 *input, u64 len) {
    u64 n = *(u64 *)input;
    if (n > 64 || len < 8 + 12 * n * n)
        return -1;
    const u32 *a = (const u32 *)(input + 8), *b = a + n * n;
    u32 *product = (u32 *)(b + n * n);
    u32 trace = 0;
    for (u64 row = 0; row < n; row++) {
        for (u64 column = 0; column < n; column++) {
            u32 sum = 0;
            for (u64 i = 0; i < n; i++)
                sum += a[row * n + i] * b[i * n + column];
            product[row * n + column] = sum;
            if (row == column)
                trace += sum;
        }
    }
    return trace;
}

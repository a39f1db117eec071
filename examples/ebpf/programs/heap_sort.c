// Sorts the numbers of the input in place, and returns how many there are.

#include "program.h"

static inline void sift_down(u64 *heap, u64 at, u64 len) {
    u64 moved = heap[at];
    for (;;) {
        u64 child = 2 * at + 1;
        if (child >= len)
            break;
        if (child + 1 < len && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= moved)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

u64 heap_sort(u64 *numbers, u64 bytes) {
    u64 len = bytes / 8;
    for (u64 i = len / 2; i > 0; i--)
        sift_down(numbers, i - 1, len);
    for (u64 end = len; end > 1; end--) {
        u64 largest = numbers[0];
        numbers[0] = numbers[end - 1];
        numbers[end - 1] = largest;
        sift_down(numbers, 0, end - 1);
    }
    return len;
}

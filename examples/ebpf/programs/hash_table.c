// Counts words of the input in a hash table with open addressing, and returns how often the most frequent one
// occurs, in the upper half, and how many different ones there are. -1 if the table is full.

#include "program.h"

#define SLOTS 1024

struct slot {
    u64 key;
    u64 count;
};

static struct slot slots[SLOTS];

u64 hash_table(const u64 *keys, u64 len) {
    u64 different = 0, most = 0;
    for (u64 i = 0; i < len / 8; i++) {
        u64 key = keys[i];
        u64 at = key * 0x9e3779b97f4a7c15 >> 54;
        u64 probes = 0;
        while (slots[at].count != 0 && slots[at].key != key) {
            at = (at + 1) % SLOTS;
            if (++probes == SLOTS)
                return -1;
        }
        if (slots[at].count == 0) {
            slots[at].key = key;
            different++;
        }
        u64 count = ++slots[at].count;
        if (count > most)
            most = count;
    }
    return most << 32 | different;
}

// Goes through packets (Ethernet, IPv4, TCP), each with its length in front, in 16 bits and network byte order.
// Returns the sum of the lengths of what TCP carries to port 443, in the upper half, and how many packets are
// whole and have the right IPv4 checksum.

#include "program.h"

struct ethernet {
    u8 to[6];
    u8 from[6];
    u16 type;
} __attribute__((packed));

struct ipv4 {
    u8 version_and_len;
    u8 service;
    u16 len;
    u16 id;
    u16 fragment;
    u8 ttl;
    u8 protocol;
    u16 checksum;
    u32 from;
    u32 to;
} __attribute__((packed, aligned(2)));

struct tcp {
    u16 from;
    u16 to;
    u32 sequence;
    u32 acknowledged;
    u8 len;
    u8 flags;
    u16 window;
    u16 checksum;
    u16 urgent;
} __attribute__((packed, aligned(2)));

#define be16(number) __builtin_bswap16(number)

u64 headers(const u8 *input, u64 len) {
    u64 whole = 0, carried = 0, at = 0;
    while (at + 2 <= len) {
        u64 packet_len = (u64)input[at] << 8 | input[at + 1];
        const u8 *packet = input + at + 2;
        at += 2 + packet_len;
        if (at > len || packet_len < sizeof(struct ethernet) + sizeof(struct ipv4))
            continue;
        const struct ethernet *ethernet = (const void *)packet;
        if (ethernet->type != be16(0x0800))
            continue;
        const struct ipv4 *ip = (const void *)(ethernet + 1);
        u64 header = (ip->version_and_len & 15) * 4, total = be16(ip->len);
        if (ip->version_and_len >> 4 != 4 || header < sizeof *ip || total < header ||
            total + sizeof *ethernet > packet_len)
            continue;
        const u8 *words = (const u8 *)ip;
        u32 sum = 0;
        for (u64 i = 0; i < header; i += 2)
            sum += (u32)words[i] << 8 | words[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        if (sum != 0xffff)
            continue;
        whole++;
        if (ip->protocol != 6 || total - header < sizeof(struct tcp))
            continue;
        const struct tcp *tcp = (const void *)(words + header);
        u64 tcp_header = (tcp->len >> 4) * 4;
        if (tcp->to == be16(443) && header + tcp_header <= total)
            carried += total - header - tcp_header;
    }
    return carried << 32 | whole;
}

// How long a frame is, by the bytes it begins with: `5:hello,`, a netstring, or a big-endian length of four bytes and as many bytes. Knows
// nothing of where those bytes are kept. A length is judged before anybody waits for what it announces.

#ifndef PREFIX_H
#define PREFIX_H

#include <stddef.h>
#include <stdint.h>

// The longest string a peer accepts; a longer one ends the connection. The same limit as Twill's.
enum { PEER_STRING_LENGTH_MAX = 99999 };

enum {
    NETSTRING_PREFIX_MAX = 6, // five digits and the colon
    INT32_PREFIX = 4,
    // Room for any frame: a netstring of the longest string, with its comma.
    PREFIXED_FRAME_MAX = NETSTRING_PREFIX_MAX + PEER_STRING_LENGTH_MAX + 1,
};

// What the functions below return where there is no size.
enum {
    PREFIX_UNFINISHED = 0, // so far it is right, and more of it has to come
    PREFIX_BAD = -1,       // no frame begins like this
};

// The size of the whole netstring, comma included, at whose start `count` bytes are known. The comma itself is not looked at.
static inline ptrdiff_t netstring_size(const char *start, size_t count)
{
    size_t length = 0;
    size_t digits = 0;
    while (digits < count && start[digits] >= '0' && start[digits] <= '9') {
        // A zero is the whole length or no part of its front.
        if (digits == 1 && start[0] == '0') return PREFIX_BAD;
        length = length * 10 + (size_t)(start[digits] - '0');
        if (length > PEER_STRING_LENGTH_MAX) return PREFIX_BAD;
        digits++;
    }
    if (digits == count) return PREFIX_UNFINISHED;
    if (digits == 0 || start[digits] != ':') return PREFIX_BAD;
    return (ptrdiff_t)(digits + 1 + length + 1);
}

// The size of the whole frame, its four bytes of length included, at whose start `count` bytes are known.
static inline ptrdiff_t int32_size(const char *start, size_t count)
{
    if (count < INT32_PREFIX) return PREFIX_UNFINISHED;
    const unsigned char *bytes = (const unsigned char *)start;
    uint32_t length = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return length > PEER_STRING_LENGTH_MAX ? PREFIX_BAD : (ptrdiff_t)(INT32_PREFIX + length);
}

#endif

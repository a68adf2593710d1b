// A queue of bytes: appended at the tail, taken from the head. It owns memory only while it holds something, so that an idle
// connection costs its struct and nothing more.
//
// Invariant: head <= tail <= capacity, and start is NULL exactly when capacity is 0.

#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    char *start;
    uint32_t head; // 32 bits are plenty: a queue holds at most one read, of 16 MiB at most, and one frame
    uint32_t tail;
    uint32_t capacity;
};

static inline size_t bytes_count(const struct bytes *bytes)
{
    return bytes->tail - bytes->head;
}

static inline const char *bytes_first(const struct bytes *bytes)
{
    return bytes->start + bytes->head;
}

static inline void bytes_free(struct bytes *bytes)
{
    free(bytes->start);
    *bytes = (struct bytes){0};
}

// Returns false, and changes nothing, when there is no memory.
static inline bool bytes_append(struct bytes *bytes, const char *data, size_t count)
{
    size_t needed = bytes->tail + count;
    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 64;
        while (capacity < needed) capacity *= 2;
        char *grown = realloc(bytes->start, capacity);
        if (!grown) return false;
        bytes->start = grown;
        bytes->capacity = (uint32_t)capacity;
    }
    memcpy(bytes->start + bytes->tail, data, count);
    bytes->tail += (uint32_t)count;
    return true;
}

#endif

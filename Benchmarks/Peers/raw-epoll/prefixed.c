#include "prefixed.h"
#include "prefix.h"

// What differs between the framings. Everything that takes one is inlined with a constant, so that no call is made through it.
struct framing {
    ptrdiff_t (*size)(const char *start, size_t count);
    bool ends_in_comma;
};

static const struct framing netstring = {.size = netstring_size, .ends_in_comma = true};
static const struct framing int32 = {.size = int32_size, .ends_in_comma = false};

#define INLINE static inline __attribute__((always_inline))

INLINE bool ends_well(struct framing framing, const char *frame, size_t size)
{
    return !framing.ends_in_comma || frame[size - 1] == ',';
}

static char *write_reply(char *to, const char *frame, size_t size)
{
    memcpy(to, frame, size);
    return to + size;
}

// Goes on with the frame in `carry`, which is not empty. Returns where the next frame starts, which is `end` where this one has not
// ended yet; NULL where it is rejected.
INLINE const char *continue_carried(
    struct framing framing, struct bytes *carry, const char *data, const char *end, char **reply)
{
    ptrdiff_t size = framing.size(bytes_first(carry), bytes_count(carry));
    // A length that is split itself is rare and has few bytes, so it is completed one by one.
    while (size == PREFIX_UNFINISHED && data < end) {
        if (!bytes_append(carry, data++, 1)) return NULL;
        size = framing.size(bytes_first(carry), bytes_count(carry));
    }
    if (size == PREFIX_UNFINISHED) return end;
    if (size == PREFIX_BAD) return NULL;

    size_t missing = (size_t)size - bytes_count(carry);
    size_t taken = missing < (size_t)(end - data) ? missing : (size_t)(end - data);
    if (!bytes_append(carry, data, taken)) return NULL;
    if (taken < missing) return end;
    if (!ends_well(framing, bytes_first(carry), (size_t)size)) return NULL;
    *reply = write_reply(*reply, bytes_first(carry), (size_t)size);
    bytes_free(carry);
    return data + taken;
}

INLINE size_t frames_reply(
    struct framing framing, struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected)
{
    const char *end = data + count;
    char *reply = replies;
    *is_rejected = false;

    if (bytes_count(carry) > 0) {
        data = continue_carried(framing, carry, data, end, &reply);
        *is_rejected = !data;
    }
    while (!*is_rejected && data < end) {
        ptrdiff_t size = framing.size(data, (size_t)(end - data));
        if (size == PREFIX_BAD) {
            *is_rejected = true;
        } else if (size == PREFIX_UNFINISHED || size > end - data) {
            *is_rejected = !bytes_append(carry, data, (size_t)(end - data));
            break;
        } else if (!ends_well(framing, data, (size_t)size)) {
            *is_rejected = true;
        } else {
            reply = write_reply(reply, data, (size_t)size);
            data += size;
        }
    }
    return (size_t)(reply - replies);
}

size_t netstrings_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected)
{
    return frames_reply(netstring, carry, data, count, replies, is_rejected);
}

size_t int32_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected)
{
    return frames_reply(int32, carry, data, count, replies, is_rejected);
}

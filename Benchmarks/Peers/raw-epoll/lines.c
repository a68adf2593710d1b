#include "lines.h"
#include "peer.h"

static const size_t delimiter_length = 2;

// The '\n' of the first CRLF that ends in [from, end), or NULL. `before` is the byte of the same line in front of `from`: a CR at the
// end of one read and the LF at the start of the next are a CRLF, and an LF on its own is part of its line.
static const char *find_crlf(const char *from, const char *end, char before)
{
    const char *scan = from;
    while (scan < end) {
        const char *newline = memchr(scan, '\n', (size_t)(end - scan));
        if (!newline) return NULL;
        if ((newline == from ? before : newline[-1]) == '\r') return newline;
        scan = newline + 1;
    }
    return NULL;
}

static char *write_reply(char *to, const char *line, size_t length)
{
    memcpy(to, line, length);
    to[length] = '\r';
    to[length + 1] = '\n';
    return to + length + delimiter_length;
}

// Keeps the start of a line, or more of one. Its CR may be there already, which is why the limit is one more.
static bool keep(struct bytes *carry, const char *data, size_t count)
{
    return bytes_count(carry) + count <= PEER_LINE_LENGTH_MAX + 1 && bytes_append(carry, data, count);
}

// Goes on with the line in `carry`, which is not empty. Returns where the next line starts, which is `end` where this one has not
// ended yet; NULL where it is rejected.
static const char *continue_carried(struct bytes *carry, const char *data, const char *end, char **reply)
{
    const char *newline = find_crlf(data, end, carry->start[carry->tail - 1]);
    if (!newline) return keep(carry, data, (size_t)(end - data)) ? end : NULL;
    // All but the LF, so that the carry ends in the line's CR.
    if (!keep(carry, data, (size_t)(newline - data))) return NULL;
    *reply = write_reply(*reply, bytes_first(carry), bytes_count(carry) - 1);
    bytes_free(carry);
    return newline + 1;
}

size_t lines_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected)
{
    const char *end = data + count;
    char *reply = replies;
    *is_rejected = false;

    if (bytes_count(carry) > 0) {
        data = continue_carried(carry, data, end, &reply);
        *is_rejected = !data;
    }
    while (!*is_rejected && data < end) {
        const char *newline = find_crlf(data, end, '\0');
        if (!newline) {
            *is_rejected = !keep(carry, data, (size_t)(end - data));
            break;
        }
        size_t length = (size_t)(newline - 1 - data);
        if (length > PEER_LINE_LENGTH_MAX) {
            *is_rejected = true;
            break;
        }
        reply = write_reply(reply, data, length);
        data = newline + 1;
    }
    return (size_t)(reply - replies);
}

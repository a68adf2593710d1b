// Splits a stream into frames that begin with their length, netstrings or Int32 strings, and replies to each with a copy of it. Knows nothing of
// sockets. A frame that lies in one read is parsed where it lies; one that is split across reads is carried.

#ifndef PREFIXED_H
#define PREFIXED_H

#include "bytes.h"

// Writes a copy of every frame that is whole to `replies`, and keeps the rest in `carry`.
//
// `replies` needs room for what is carried and `count` bytes more. Returns the bytes written and sets `is_rejected` where the
// connection should end after them: what came is no frame or announces too long a one, or there is no memory to carry one.
size_t netstrings_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected);
size_t int32_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected);

#endif

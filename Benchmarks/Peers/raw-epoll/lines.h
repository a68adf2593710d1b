// Splits a stream into lines that end in CRLF and writes the reply to each. Knows nothing of sockets. Every byte is searched once:
// a line split across reads is carried, and only what is new of it is looked at.

#ifndef LINES_H
#define LINES_H

#include "bytes.h"

// Writes `line CRLF` to `replies` for every line that is whole, and keeps the rest in `carry`.
//
// `replies` needs room for what is carried and `count` bytes more. Returns the bytes written and sets `is_rejected` where the
// connection should end after them: a line is too long, or there is no memory to carry one.
size_t lines_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected);

#endif

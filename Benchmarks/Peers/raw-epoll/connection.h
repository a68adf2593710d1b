// One client of the raw epoll server: reads what has come, answers at once, and waits for the socket only when it must.

#ifndef CONNECTION_H
#define CONNECTION_H

#include "bytes.h"
#include "peer.h"

// Replies to all the frames of one read, as lines_reply does, and says how many bytes that made.
typedef size_t frames_reply(struct bytes *carry, const char *data, size_t count, char *replies, bool *is_rejected);

// What all connections share. One thread serves them one at a time, so one buffer to read into is enough for any number.
struct server {
    int epoll;
    int listener;
    bool is_accepting;
    frames_reply *frames_reply; // NULL where every byte is echoed
    char *input;                // input_size bytes, valid until the next read
    size_t input_size;
    char *replies; // with frames: room for the replies to one read and the frame carried into it
};

struct connection {
    int fd;
    bool awaits_room;    // output is pending: EPOLLOUT is armed instead of EPOLLIN
    struct bytes output; // what the socket would not take
    struct bytes carry;  // with frames: the start of one whose end has not come yet
};

// With malloc's own eight bytes a connection takes 64.
_Static_assert(sizeof(struct connection) <= 56, "an idle connection must stay tiny");

// Takes over an accepted, non-blocking descriptor: it is watched from now on, and closed if that fails.
void connection_open(struct server *server, int fd);

// What epoll said of a connection. The connection may be gone when this returns.
void connection_ready(struct server *server, struct connection *connection);

#endif

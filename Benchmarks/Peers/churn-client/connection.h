// One connection of the load generator, from its connect to its close: it sends a message, and checks that the same comes back.
//
// Knows nothing of the others. A connection that fails says why on standard error.

#ifndef CONNECTION_H
#define CONNECTION_H

#include "options.h"

#include <stddef.h>

enum { MESSAGE_BYTES = 64 };

enum outcome {
    CONNECTION_IN_PROGRESS,
    CONNECTION_DONE,   // the reply was right, and the connection is closed
    CONNECTION_FAILED, // no connection, no reply or a wrong one; what there was is closed
};

struct connection {
    uint64_t number; // counts the connections of a run: its message and its source address follow from it
    int fd;          // -1 while there is none
    bool is_sent;
    size_t received;
    char reply[MESSAGE_BYTES + 1]; // with room for a byte too many
};

// Connects and, where the connection is there at once, sends the message. From then on epoll tells of it with its address.
enum outcome connection_open(struct connection *connection, uint64_t number, const struct options *options, int epoll);

// What epoll said of a connection: takes the next step.
enum outcome connection_ready(struct connection *connection, const struct options *options, int epoll);

// Gives up a connection that nothing was heard of. `what` says what it waited for.
enum outcome connection_give_up(struct connection *connection, const char *what);

#endif

#ifdef __linux__
#define _GNU_SOURCE

#include "connection.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool watch(struct server *server, struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    return epoll_ctl(server->epoll, operation, connection->fd, &event) == 0;
}

// Closing the descriptor takes it out of the epoll set; nothing else refers to the connection.
static void connection_close(struct connection *connection)
{
    close(connection->fd);
    bytes_free(&connection->output);
    bytes_free(&connection->carry);
    free(connection);
}

void connection_open(struct server *server, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return;
    }
    connection->fd = fd;
    peer_set_no_delay(fd);
    if (!watch(server, connection, EPOLL_CTL_ADD, EPOLLIN)) connection_close(connection);
}

// How many of the bytes the socket took, which may be none; -1 where the connection is lost.
static ssize_t send_some(struct connection *connection, const char *data, size_t count)
{
    ssize_t sent = send(connection->fd, data, count, 0);
    if (sent < 0 && is_transient(errno)) return 0;
    return sent;
}

// Sends at once, without asking first whether the socket has room: it nearly always has. What it does not take is kept, and nothing
// more is read until that is sent, so a client that doesn't read holds at most one read's worth of memory, and a frame's. Returns false
// where the connection is lost.
static bool reply(struct server *server, struct connection *connection, const char *data, size_t count)
{
    ssize_t sent = send_some(connection, data, count);
    if (sent < 0) return false;
    if ((size_t)sent == count) return true;
    if (!bytes_append(&connection->output, data + sent, count - (size_t)sent)) return false;
    connection->awaits_room = true;
    return watch(server, connection, EPOLL_CTL_MOD, EPOLLOUT);
}

// One recv per wake-up. Reading until EAGAIN would cost a second system call per message; epoll is level-triggered and says so if
// there is more.
static bool read_once(struct server *server, struct connection *connection)
{
    ssize_t count = recv(connection->fd, server->input, server->input_size, 0);
    if (count < 0) return is_transient(errno);
    if (count == 0) return false;
    if (!server->frames_reply) return reply(server, connection, server->input, (size_t)count);

    // All the frames of one read are answered in one send.
    bool is_rejected = false;
    size_t length =
        server->frames_reply(&connection->carry, server->input, (size_t)count, server->replies, &is_rejected);
    if (length > 0 && !reply(server, connection, server->replies, length)) return false;
    return !is_rejected;
}

static bool send_pending(struct server *server, struct connection *connection)
{
    struct bytes *output = &connection->output;
    ssize_t sent = send_some(connection, bytes_first(output), bytes_count(output));
    if (sent < 0) return false;
    output->head += (uint32_t)sent;
    if (bytes_count(output) > 0) return true;
    bytes_free(output);
    connection->awaits_room = false;
    return watch(server, connection, EPOLL_CTL_MOD, EPOLLIN);
}

// Errors and hang-ups need no case of their own: the call that is made next meets them.
void connection_ready(struct server *server, struct connection *connection)
{
    bool is_alive = connection->awaits_room ? send_pending(server, connection) : read_once(server, connection);
    if (!is_alive) connection_close(connection);
}

#endif

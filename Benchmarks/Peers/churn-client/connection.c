#ifdef __linux__
#define _GNU_SOURCE

#include "connection.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// An address has some 28 000 ports, and a port that was used rests for a minute (TIME_WAIT). All of 127.0.0.0/8 loops back, so the
// connections take turns over this many addresses: seven million ports.
enum { SOURCES = 250 };

// Every word of every message is another, so that bytes of another connection or from another place show.
static void write_message(uint64_t number, char message[MESSAGE_BYTES])
{
    enum { WORDS = MESSAGE_BYTES / sizeof(uint64_t) };
    uint64_t words[WORDS];
    for (uint64_t i = 0; i < WORDS; i++) words[i] = number * WORDS + i;
    memcpy(message, words, MESSAGE_BYTES);
}

static void connection_close(struct connection *connection)
{
    // Takes it out of the epoll set, too.
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
}

enum outcome connection_give_up(struct connection *connection, const char *what)
{
    fprintf(stderr, "churn-client: connection %llu: %s\n", (unsigned long long)connection->number, what);
    connection_close(connection);
    return CONNECTION_FAILED;
}

// The same, for a system call that failed.
static enum outcome fail(struct connection *connection, const char *call)
{
    char what[128];
    snprintf(what, sizeof what, "%s: %s", call, strerror(errno));
    return connection_give_up(connection, what);
}

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool watch(struct connection *connection, int epoll, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    return epoll_ctl(epoll, operation, connection->fd, &event) == 0;
}

// Binds to a source address only. The port is left to connect, which may take any that has no connection to this server; bind would
// look for one that nobody uses at all.
static bool bind_source(int fd, uint64_t number)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0) return false;
    struct sockaddr_in source = peer_loopback(0);
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number % SOURCES));
    return bind(fd, (struct sockaddr *)&source, sizeof source) == 0;
}

// Sends the message. One that still waits to be connected stays as it is.
static bool send_message(struct connection *connection)
{
    char message[MESSAGE_BYTES];
    write_message(connection->number, message);
    ssize_t sent = send(connection->fd, message, MESSAGE_BYTES, MSG_NOSIGNAL);
    if (sent < 0) return is_transient(errno);
    // A socket that never sent anything has room for more than this.
    connection->is_sent = sent == MESSAGE_BYTES;
    if (!connection->is_sent) errno = EMSGSIZE;
    return connection->is_sent;
}

enum outcome connection_open(struct connection *connection, uint64_t number, const struct options *options, int epoll)
{
    *connection = (struct connection){.number = number};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) return fail(connection, "socket");
    if (!bind_source(connection->fd, number)) return fail(connection, "bind");
    struct sockaddr_in server = peer_loopback(options->port);
    bool is_connecting = connect(connection->fd, (struct sockaddr *)&server, sizeof server) == 0 || errno == EINPROGRESS;
    if (!is_connecting) return fail(connection, "connect");
    // Over loopback the handshake is usually over when connect returns, which saves waiting for it.
    if (!send_message(connection)) return fail(connection, "send");
    uint32_t events = connection->is_sent ? EPOLLIN : EPOLLOUT;
    if (!watch(connection, epoll, EPOLL_CTL_ADD, events)) return fail(connection, "epoll_ctl");
    return CONNECTION_IN_PROGRESS;
}

// Checks the reply and closes. The ordinary close sends a FIN; one that may not linger sends a reset.
static enum outcome finish(struct connection *connection, bool resets)
{
    char message[MESSAGE_BYTES];
    write_message(connection->number, message);
    if (memcmp(connection->reply, message, MESSAGE_BYTES) != 0) return connection_give_up(connection, "another message came back");
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (resets && setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0) return fail(connection, "setsockopt");
    connection_close(connection);
    return CONNECTION_DONE;
}

static enum outcome receive(struct connection *connection, bool resets)
{
    ssize_t count = recv(connection->fd, connection->reply + connection->received, sizeof connection->reply - connection->received, 0);
    if (count < 0) return is_transient(errno) ? CONNECTION_IN_PROGRESS : fail(connection, "recv");
    if (count == 0) return connection_give_up(connection, "the server closed it before the whole message came back");
    connection->received += (size_t)count;
    if (connection->received < MESSAGE_BYTES) return CONNECTION_IN_PROGRESS;
    if (connection->received > MESSAGE_BYTES) return connection_give_up(connection, "more came back than was sent");
    return finish(connection, resets);
}

enum outcome connection_ready(struct connection *connection, const struct options *options, int epoll)
{
    // Errors and hang-ups need no case of their own: the call that is made next meets them.
    if (connection->is_sent) return receive(connection, options->resets);
    if (!send_message(connection)) return fail(connection, "connect");
    if (connection->is_sent && !watch(connection, epoll, EPOLL_CTL_MOD, EPOLLIN)) return fail(connection, "epoll_ctl");
    return CONNECTION_IN_PROGRESS;
}

#endif

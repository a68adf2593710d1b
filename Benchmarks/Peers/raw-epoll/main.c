// The server to measure against: as little as Linux allows between a socket and its reply. One thread, level-triggered epoll, one shared
// buffer, one recv per wake-up and one send per reply. It has no timeouts, no limits on clients and no TLS, so it is a
// floor for the cost of a message and not a server to run.

#ifdef __linux__
#define _GNU_SOURCE

#include "connection.h"
#include "lines.h"
#include "prefix.h"
#include "prefixed.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFER_SIZE_DEFAULT = 65536,
    ACCEPTS_PER_TURN_MAX = 64, // so that a storm of connections doesn't hold up those that are there
    EVENTS_PER_TURN_MAX = 1024,
    ACCEPT_PAUSE_MILLISECONDS_MAX = 100,
};

// The server keeps nothing that is worth saving, so the handler may end it wherever it stands.
static void on_terminate(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static void install_signal_handlers(void)
{
    struct sigaction terminate = {.sa_handler = on_terminate};
    sigaction(SIGTERM, &terminate, NULL);
    // A client that is gone is an error of send, not the end of the process.
    signal(SIGPIPE, SIG_IGN);
}

static int listen_on(struct peer_address address)
{
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) peer_fail("socket");
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) peer_fail("setsockopt");
    if (bind(fd, &address.any, address.length) < 0) peer_fail("bind");
    if (listen(fd, PEER_BACKLOG) < 0) peer_fail("listen");
    return fd;
}

// The listener is the one entry in the epoll set without a connection.
static void set_accepting(struct server *server, bool is_accepting)
{
    struct epoll_event event = {.events = is_accepting ? EPOLLIN : 0, .data.ptr = NULL};
    if (epoll_ctl(server->epoll, EPOLL_CTL_MOD, server->listener, &event) < 0) peer_fail("epoll_ctl");
    server->is_accepting = is_accepting;
}

static void accept_some(struct server *server)
{
    for (int i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            connection_open(server, fd);
            continue;
        }
        // Out of descriptors or memory: the listener would stay readable and the loop would spin, so it rests for a turn.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) set_accepting(server, false);
        // Anything else is either "no more" or the fate of one client that left while it waited.
        if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

static void run_turn(struct server *server)
{
    static struct epoll_event events[EVENTS_PER_TURN_MAX];
    int timeout = server->is_accepting ? -1 : ACCEPT_PAUSE_MILLISECONDS_MAX;
    int count = epoll_wait(server->epoll, events, EVENTS_PER_TURN_MAX, timeout);
    if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
    if (!server->is_accepting) set_accepting(server, true);
    // A connection appears at most once in a turn, so one that closes leaves nothing behind that refers to it.
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr) connection_ready(server, events[i].data.ptr);
        else accept_some(server);
    }
}

static frames_reply *frames_reply_of(enum peer_mode mode)
{
    switch (mode) {
    case PEER_ECHO: return NULL;
    case PEER_LINE: return lines_reply;
    case PEER_NETSTRING: return netstrings_reply;
    case PEER_INT32: return int32_reply;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct peer_options options = peer_options_parse(argc, argv);
    peer_raise_descriptor_limit();
    install_signal_handlers();

    struct server server = {
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .listener = listen_on(peer_listening_address(&options)),
        .is_accepting = true,
        .frames_reply = frames_reply_of(options.mode),
        .input_size = options.buffer_size ? options.buffer_size : BUFFER_SIZE_DEFAULT,
    };
    if (server.epoll < 0) peer_fail("epoll_create1");
    server.input = malloc(server.input_size);
    // The longest frame there is, and so the most that can be carried.
    server.replies = malloc(server.input_size + PREFIXED_FRAME_MAX);
    if (!server.input || !server.replies) peer_fail("malloc");

    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) < 0) peer_fail("epoll_ctl");

    peer_print_listening(server.listener);
    for (;;) run_turn(&server);
}

#else

#include <stdio.h>

int main(void)
{
    fputs("raw-epoll: epoll is Linux's own; run this peer there\n", stderr);
    return 1;
}

#endif

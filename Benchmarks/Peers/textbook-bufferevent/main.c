// The server that every libevent tutorial writes: a listener, a bufferevent per connection, and a callback that moves bytes from its
// input to its output. It stands here for what most programs on libevent do today; nothing in it is slow on purpose. Like the
// tutorials it doesn't bound what it holds for a client that never reads.

#define _GNU_SOURCE

#include "peer.h"
#include "prefix.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void on_echo(struct bufferevent *connection, void *context)
{
    (void)context;
    evbuffer_add_buffer(bufferevent_get_output(connection), bufferevent_get_input(connection));
}

static void on_line(struct bufferevent *connection, void *context)
{
    (void)context;
    struct evbuffer *input = bufferevent_get_input(connection);
    struct evbuffer *output = bufferevent_get_output(connection);
    size_t length = 0;
    char *line;
    while (length <= PEER_LINE_LENGTH_MAX && (line = evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF_STRICT))) {
        evbuffer_add(output, line, length);
        evbuffer_add(output, "\r\n", 2);
        free(line);
    }
    // What is left is a line without its end, which may have its CR already.
    bool is_too_long = length > PEER_LINE_LENGTH_MAX || evbuffer_get_length(input) > PEER_LINE_LENGTH_MAX + 1;
    if (is_too_long) bufferevent_free(connection);
}

// Takes a whole frame out of the input and sends it back, unless it should end in a comma and doesn't. Returns false where the connection
// should end.
static bool reply_frame(struct bufferevent *connection, size_t size, bool ends_in_comma)
{
    char *frame = malloc(size);
    if (!frame) return false;
    evbuffer_remove(bufferevent_get_input(connection), frame, size);
    bool is_right = !ends_in_comma || frame[size - 1] == ',';
    if (is_right) evbuffer_add(bufferevent_get_output(connection), frame, size);
    free(frame);
    return is_right;
}

static void reply_frames(
    struct bufferevent *connection, ptrdiff_t (*frame_size)(const char *, size_t), size_t prefix_max, bool ends_in_comma)
{
    struct evbuffer *input = bufferevent_get_input(connection);
    char prefix[NETSTRING_PREFIX_MAX];
    bool is_right = true;
    while (is_right) {
        ev_ssize_t count = evbuffer_copyout(input, prefix, prefix_max);
        ptrdiff_t size = count < 0 ? PREFIX_BAD : frame_size(prefix, (size_t)count);
        if (size == PREFIX_UNFINISHED || size > (ptrdiff_t)evbuffer_get_length(input)) return;
        is_right = size != PREFIX_BAD && reply_frame(connection, (size_t)size, ends_in_comma);
    }
    bufferevent_free(connection);
}

static void on_netstring(struct bufferevent *connection, void *context)
{
    (void)context;
    reply_frames(connection, netstring_size, NETSTRING_PREFIX_MAX, true);
}

static void on_int32(struct bufferevent *connection, void *context)
{
    (void)context;
    reply_frames(connection, int32_size, INT32_PREFIX, false);
}

static bufferevent_data_cb read_callback(enum peer_mode mode)
{
    switch (mode) {
    case PEER_ECHO: return on_echo;
    case PEER_LINE: return on_line;
    case PEER_NETSTRING: return on_netstring;
    case PEER_INT32: return on_int32;
    }
    return on_echo;
}

static void on_event(struct bufferevent *connection, short what, void *context)
{
    (void)context;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(connection);
}

static void on_accept(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int length, void *context)
{
    (void)address;
    (void)length;
    const struct peer_options *options = context;
    struct event_base *base = evconnlistener_get_base(listener);
    struct bufferevent *connection = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!connection) {
        evutil_closesocket(fd);
        return;
    }
    peer_set_no_delay(fd);
    if (options->buffer_size) {
        // libevent 2.1 takes these for an upper bound and goes on reading 4096 bytes at a time.
        bufferevent_set_max_single_read(connection, options->buffer_size);
        bufferevent_set_max_single_write(connection, options->buffer_size);
    }
    bufferevent_setcb(connection, read_callback(options->mode), NULL, on_event, NULL);
    bufferevent_enable(connection, EV_READ | EV_WRITE);
}

static void on_terminate(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    event_base_loopbreak(context);
}

int main(int argc, char **argv)
{
    struct peer_options options = peer_options_parse(argc, argv);
    peer_raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);

    struct event_base *base = event_base_new();
    if (!base) peer_fail("event_base_new");

    struct peer_address address = peer_listening_address(&options);
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    struct evconnlistener *listener = evconnlistener_new_bind(
        base, on_accept, &options, flags, PEER_BACKLOG, &address.any, (int)address.length);
    if (!listener) peer_fail("evconnlistener_new_bind");

    struct event *terminate = evsignal_new(base, SIGTERM, on_terminate, base);
    if (!terminate || event_add(terminate, NULL) < 0) peer_fail("evsignal_new");

    peer_print_listening(evconnlistener_get_fd(listener));
    int result = event_base_dispatch(base);

    event_free(terminate);
    evconnlistener_free(listener);
    event_base_free(base);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

// The server to measure TLS against: raw epoll and OpenSSL, with as little between them as there can be. One thread, level-triggered epoll, one
// shared buffer; OpenSSL reads and writes the sockets itself. It has no timeouts and no limits, so it is a floor for the cost of a message and
// not a server to run.

#ifdef __linux__
#define _GNU_SOURCE

#include "peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_SIZE = 65536, EVENTS_PER_TURN_MAX = 1024, ACCEPTS_PER_TURN_MAX = 64 };

struct connection {
    int fd;
    SSL *ssl;
    bool is_secure;
    // What OpenSSL would not take yet; nothing is read meanwhile.
    char *output;
    int output_count;
};

static int epoll;
static SSL_CTX *context;
static char buffer[BUFFER_SIZE];

static void on_terminate(int number)
{
    (void)number;
    _exit(0);
}

static void close_connection(struct connection *connection)
{
    // Says the end by TLS, as a server does.
    if (connection->is_secure) SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    close(connection->fd);
    free(connection->output);
    free(connection);
}

static void open_connection(int fd)
{
    peer_set_no_delay(fd);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) peer_fail("calloc");
    connection->fd = fd;
    connection->ssl = SSL_new(context);
    SSL_set_fd(connection->ssl, fd);
    SSL_set_accept_state(connection->ssl);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) peer_fail("epoll_ctl");
}

// Whether the connection lives: OpenSSL only wants to wait.
static bool waits(struct connection *connection, int result)
{
    int error = SSL_get_error(connection->ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void watch(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

// Writes bytes; what does not fit is kept. False where the connection is lost.
static bool reply(struct connection *connection, const char *bytes, int count)
{
    int sent = SSL_write(connection->ssl, bytes, count);
    if (sent == count) return true;
    if (sent <= 0 && !waits(connection, sent)) return false;
    if (sent < 0) sent = 0;
    connection->output_count = count - sent;
    connection->output = malloc((size_t)connection->output_count);
    if (!connection->output) peer_fail("malloc");
    memcpy(connection->output, bytes + sent, (size_t)connection->output_count);
    watch(connection, EPOLLOUT);
    return true;
}

static bool send_rest(struct connection *connection)
{
    int sent = SSL_write(connection->ssl, connection->output, connection->output_count);
    if (sent <= 0) return waits(connection, sent);
    connection->output_count -= sent;
    memmove(connection->output, connection->output + sent, (size_t)connection->output_count);
    if (connection->output_count > 0) return true;
    free(connection->output);
    connection->output = NULL;
    watch(connection, EPOLLIN);
    return true;
}

static bool ready(struct connection *connection)
{
    if (connection->output && !send_rest(connection)) return false;
    if (!connection->is_secure) {
        int result = SSL_do_handshake(connection->ssl);
        if (result <= 0) return waits(connection, result);
        connection->is_secure = true;
    }
    // OpenSSL may hold more than the system says there is.
    while (!connection->output) {
        int count = SSL_read(connection->ssl, buffer, sizeof buffer);
        if (count <= 0) return waits(connection, count);
        if (!reply(connection, buffer, count)) return false;
        if (!SSL_has_pending(connection->ssl)) break;
    }
    return true;
}

int main(int argc, char **argv)
{
    peer_set_program(argv[0]);
    const char *certificate = NULL, *key = NULL;
    bool reads_ahead = false, releases = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--cert") == 0) certificate = argv[++i];
        else if (strcmp(argv[i], "--key") == 0) key = argv[++i];
        else if (strcmp(argv[i], "--read-ahead") == 0) reads_ahead = true;
        else if (strcmp(argv[i], "--release-buffers") == 0) releases = true;
        else peer_fail_usage("there is no option '%s'; give --cert FILE, --key FILE, --read-ahead or --release-buffers", argv[i]);
    }
    if (!certificate || !key) peer_fail_usage("--cert FILE and --key FILE are missing");
    peer_raise_descriptor_limit();
    signal(SIGTERM, on_terminate);
    signal(SIGPIPE, SIG_IGN);

    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | (releases ? SSL_MODE_RELEASE_BUFFERS : 0));
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, reads_ahead);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 || SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        peer_fail_usage("the certificate and the key in %s and %s can't be used", certificate, key);

    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = peer_loopback(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) peer_fail("bind");
    if (listen(listener, PEER_BACKLOG) < 0) peer_fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    peer_print_listening(listener);

    static struct epoll_event events[EVENTS_PER_TURN_MAX];
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_PER_TURN_MAX, -1);
        if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection) {
                if (!ready(connection)) close_connection(connection);
                continue;
            }
            for (int number = 0; number < ACCEPTS_PER_TURN_MAX; number++) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) break;
                open_connection(fd);
            }
        }
    }
}

#else

#include <stdio.h>

int main(void)
{
    fputs("raw-epoll-tls: epoll is Linux's own; run this peer there\n", stderr);
    return 1;
}

#endif

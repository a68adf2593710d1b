// A load generator that costs next to nothing for each message, so that on a machine of few cores a server of several threads has the cores to
// itself: on each connection a batch of lines leaves in one call, and when all of it has come back the same batch leaves again. Every byte that
// comes back is compared with what was sent.

#ifdef __linux__
#define _GNU_SOURCE

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE_MIN = 3,
    LINE_SIZE_MAX = 4096,
    BATCH_MAX = 1024,
    CONNECTIONS_MAX = 4096,
    EVENTS_MAX = 64,
    SILENCE_MILLISECONDS = 5000, // a server that is silent for so long has failed
};

struct options {
    uint16_t port;
    size_t size;    // of a line, with its CRLF
    unsigned batch; // lines that leave together
    unsigned connections;
    unsigned long milliseconds;
};

struct connection {
    int fd;
    size_t sent;     // bytes of the batch
    size_t received; // bytes of it that came back
};

struct run {
    struct options options;
    int poll;
    char *batch;
    size_t batch_size;
    char *buffer;
    struct connection *connections;
    unsigned away; // connections that wait for the rest of their batch
    uint64_t batches;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_help(void)
{
    printf("Sends batches of lines to an echo server on 127.0.0.1, and checks what comes back.\n\n"
           "Usage: batch-load --port PORT [--size BYTES] [--batch N] [--connections N] [--milliseconds T]\n\n"
           "  --port PORT       the server's port\n"
           "  --size BYTES      of each line with its CRLF, %d to %d (default: 64)\n"
           "  --batch N         lines that leave together, 1 to %d (default: 1)\n"
           "  --connections N   how many, 1 to %d (default: 64)\n"
           "  --milliseconds T  how long to go on (default: 3000)\n\n"
           "Prints {\"messages\": N, \"seconds\": S}; what comes back changed ends it with status 1.\n",
           LINE_SIZE_MIN, LINE_SIZE_MAX, BATCH_MAX, CONNECTIONS_MAX);
}

static struct options options_parse(int argc, char **argv)
{
    struct options options = {.size = 64, .batch = 1, .connections = 64, .milliseconds = 3000};
    if (argc > 0) peer_set_program(argv[0]);
    for (int i = 1; i < argc; i++) {
        // argv ends in NULL, so the argument after the last one is there to be looked at.
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            exit(EX_OK);
        } else if (strcmp(argv[i], "--port") == 0) {
            options.port = (uint16_t)peer_number("--port", argv[++i], 1, UINT16_MAX);
        } else if (strcmp(argv[i], "--size") == 0) {
            options.size = peer_number("--size", argv[++i], LINE_SIZE_MIN, LINE_SIZE_MAX);
        } else if (strcmp(argv[i], "--batch") == 0) {
            options.batch = (unsigned)peer_number("--batch", argv[++i], 1, BATCH_MAX);
        } else if (strcmp(argv[i], "--connections") == 0) {
            options.connections = (unsigned)peer_number("--connections", argv[++i], 1, CONNECTIONS_MAX);
        } else if (strcmp(argv[i], "--milliseconds") == 0) {
            options.milliseconds = peer_number("--milliseconds", argv[++i], 1, 3600000);
        } else {
            peer_fail_usage("there is no option '%s'; --help lists them", argv[i]);
        }
    }
    if (options.port == 0) peer_fail_usage("--port is missing; give the port of an echo server on 127.0.0.1");
    return options;
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) peer_fail("socket");
    struct sockaddr_in address = peer_loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) peer_fail("connect");
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) peer_fail("fcntl");
    peer_set_no_delay(fd);
    return fd;
}

static void open_connections(struct run *run)
{
    for (unsigned i = 0; i < run->options.connections; i++) {
        struct connection *connection = &run->connections[i];
        connection->fd = connect_to(run->options.port);
        // Edges of both kinds: a batch that the system did not take whole goes on when there is room, without another call.
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
        if (epoll_ctl(run->poll, EPOLL_CTL_ADD, connection->fd, &event) < 0) peer_fail("epoll_ctl");
    }
}

static void send_rest(struct run *run, struct connection *connection)
{
    while (connection->sent < run->batch_size) {
        ssize_t count = send(connection->fd, run->batch + connection->sent, run->batch_size - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0) peer_fail("send");
        connection->sent += (size_t)count;
    }
}

static void send_batch(struct run *run, struct connection *connection)
{
    connection->sent = connection->received = 0;
    run->away++;
    send_rest(run, connection);
}

static void fail(const char *sentence)
{
    fprintf(stderr, "batch-load: %s\n", sentence);
    exit(EXIT_FAILURE);
}

// Takes what has come back; whether that was the end of the batch.
static bool receive(struct run *run, struct connection *connection)
{
    while (connection->received < run->batch_size) {
        ssize_t count = recv(connection->fd, run->buffer, run->batch_size - connection->received, 0);
        if (count < 0 && errno == EAGAIN) return false;
        if (count < 0) peer_fail("recv");
        if (count == 0) fail("the server closed a connection");
        if (memcmp(run->buffer, run->batch + connection->received, (size_t)count) != 0) fail("a reply came back changed");
        connection->received += (size_t)count;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct run run = {.options = options_parse(argc, argv)};
    peer_raise_descriptor_limit();
    run.batch_size = run.options.size * run.options.batch;
    run.batch = malloc(run.batch_size);
    run.buffer = malloc(run.batch_size);
    run.connections = calloc(run.options.connections, sizeof *run.connections);
    if (!run.batch || !run.buffer || !run.connections) peer_fail("malloc");
    for (unsigned i = 0; i < run.options.batch; i++) {
        char *line = run.batch + i * run.options.size;
        memset(line, 'a' + (int)(i % 26), run.options.size - 2);
        memcpy(line + run.options.size - 2, "\r\n", 2);
    }
    run.poll = epoll_create1(EPOLL_CLOEXEC);
    if (run.poll < 0) peer_fail("epoll_create1");
    open_connections(&run);

    double start = seconds_now();
    double end = start + (double)run.options.milliseconds / 1000;
    bool is_over = false;
    for (unsigned i = 0; i < run.options.connections; i++) send_batch(&run, &run.connections[i]);
    while (run.away > 0) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(run.poll, events, EVENTS_MAX, SILENCE_MILLISECONDS);
        if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
        if (count == 0) fail("the server is silent");
        is_over = is_over || seconds_now() >= end;
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            send_rest(&run, connection);
            if (connection->received == run.batch_size || !receive(&run, connection)) continue;
            run.away--;
            run.batches++;
            if (!is_over) send_batch(&run, connection);
        }
    }
    double seconds = seconds_now() - start;
    printf("{\"messages\": %llu, \"seconds\": %.6f}\n", (unsigned long long)run.batches * run.options.batch, seconds);
    return EXIT_SUCCESS;
}

#else

#include <stdio.h>

int main(void)
{
    fputs("batch-load: epoll is Linux's own; run this load generator there\n", stderr);
    return 1;
}

#endif

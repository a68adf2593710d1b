// The load of `bench churn`: connects, sends 64 bytes, checks that they come back, closes, and begins the next, with so many connections
// in progress at a time. One thread, one epoll set, and as few system calls as that takes, so that the server is what is measured.
//
// One error is enough to spoil a run, so no more connections are begun after it.

#ifdef __linux__
#define _GNU_SOURCE

#include "connection.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum {
    EVENTS_PER_TURN_MAX = 1024,
    SILENCE_MILLISECONDS_MAX = 10000, // with no event from any connection; then the replies they wait for are missing
};

struct run {
    struct options options;
    int epoll;
    uint64_t begun;
    uint64_t done;
    uint64_t errors;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool begins_more(const struct run *run)
{
    return run->errors == 0 && run->begun < run->options.connections;
}

static bool is_over(const struct run *run)
{
    return !begins_more(run) && run->done + run->errors == run->begun;
}

static void begin_next(struct run *run, struct connection *connection)
{
    if (!begins_more(run)) return;
    if (connection_open(connection, run->begun++, &run->options, run->epoll) == CONNECTION_FAILED) run->errors++;
}

// Counts how a connection came out, and begins another in its place.
static void settle(struct run *run, struct connection *connection, enum outcome outcome)
{
    if (outcome == CONNECTION_IN_PROGRESS) return;
    if (outcome == CONNECTION_DONE) run->done++;
    else run->errors++;
    begin_next(run, connection);
}

static void run_turn(struct run *run, struct connection *connections)
{
    static struct epoll_event events[EVENTS_PER_TURN_MAX];
    int count = epoll_wait(run->epoll, events, EVENTS_PER_TURN_MAX, SILENCE_MILLISECONDS_MAX);
    if (count < 0 && errno != EINTR) peer_fail("epoll_wait");
    // A connection appears at most once in a turn, and the one that takes its place not before the next.
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        settle(run, connection, connection_ready(connection, &run->options, run->epoll));
    }
    if (count != 0) return;
    for (uint32_t i = 0; i < run->options.concurrency; i++) {
        if (connections[i].fd >= 0) settle(run, &connections[i], connection_give_up(&connections[i], "no reply within 10 s"));
    }
}

int main(int argc, char **argv)
{
    struct run run = {.options = options_parse(argc, argv)};
    peer_raise_descriptor_limit();
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.epoll < 0) peer_fail("epoll_create1");
    struct connection *connections = calloc(run.options.concurrency, sizeof *connections);
    if (!connections) peer_fail("calloc");

    double start = seconds_now();
    for (uint32_t i = 0; i < run.options.concurrency; i++) {
        connections[i].fd = -1;
        begin_next(&run, &connections[i]);
    }
    while (!is_over(&run)) run_turn(&run, connections);
    double seconds = seconds_now() - start;

    printf("{\"connections\": %llu, \"errors\": %llu, \"seconds\": %.6f}\n", (unsigned long long)run.done,
           (unsigned long long)run.errors, seconds);
    free(connections);
    return run.errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

#include <stdio.h>

int main(void)
{
    fputs("churn-client: epoll is Linux's own; run this load generator there\n", stderr);
    return 1;
}

#endif

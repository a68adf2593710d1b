// The load of `bench udp`: sends numbered datagrams to an echo server on 127.0.0.1, with so many on their way at a time, and checks that each
// comes back as it was. One socket, sendmmsg and recvmmsg, so that the server is what is measured.
//
// The network may lose datagrams, and so may a socket whose buffer is full: when none has come for a while, those on their way are counted as
// lost, and others are sent. What comes back changed, twice or unasked is an error, and spoils the run.

#ifdef __linux__
#define _GNU_SOURCE

#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

enum {
    DATAGRAM_SIZE_MIN = 16, // room for the number
    DATAGRAM_SIZE_MAX = 8192,
    WINDOW_MAX = 256,           // of small ones, what a receive buffer of the usual size holds
    SILENCE_MILLISECONDS = 200, // after so long without a reply those that are missing are lost
};

struct options {
    uint16_t port;
    size_t size;
    unsigned window;
    unsigned long milliseconds; // how long to go on; 0: until so many have come back
    unsigned long messages;     // how many to wait for
};

struct run {
    struct options options;
    int fd;
    // A slot for each datagram that may be on its way; its number tells which slot it has, and which of the slot's datagrams it is.
    uint64_t numbers[WINDOW_MAX];
    bool is_away[WINDOW_MAX];
    unsigned away;
    uint64_t replies;
    uint64_t lost;
    uint64_t errors;
    char (*bytes)[DATAGRAM_SIZE_MAX];
    char (*received)[DATAGRAM_SIZE_MAX];
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_help(void)
{
    printf("Sends datagrams to an echo server on 127.0.0.1, and checks what comes back.\n\n"
           "Usage: udp-load --port PORT [--size BYTES] [--window N] [--milliseconds T | --messages N]\n\n"
           "  --port PORT       the server's port\n"
           "  --size BYTES      of each datagram, %d to %d (default: 64)\n"
           "  --window N        how many to have on their way at a time, 1 to %d (default: 64)\n"
           "  --milliseconds T  how long to go on (default: 3000)\n"
           "  --messages N      how many replies to wait for, instead\n\n"
           "Prints {\"replies\": N, \"lost\": N, \"errors\": N, \"seconds\": S} and exits with status 1 if there was an error.\n",
           DATAGRAM_SIZE_MIN, DATAGRAM_SIZE_MAX, WINDOW_MAX);
}

static struct options options_parse(int argc, char **argv)
{
    struct options options = {.size = 64, .window = 64, .milliseconds = 3000};
    if (argc > 0) peer_set_program(argv[0]);

    for (int i = 1; i < argc; i++) {
        // argv ends in NULL, so the argument after the last one is there to be looked at.
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            exit(EX_OK);
        } else if (strcmp(argv[i], "--port") == 0) {
            options.port = (uint16_t)peer_number("--port", argv[++i], 1, UINT16_MAX);
        } else if (strcmp(argv[i], "--size") == 0) {
            options.size = peer_number("--size", argv[++i], DATAGRAM_SIZE_MIN, DATAGRAM_SIZE_MAX);
        } else if (strcmp(argv[i], "--window") == 0) {
            options.window = (unsigned)peer_number("--window", argv[++i], 1, WINDOW_MAX);
        } else if (strcmp(argv[i], "--milliseconds") == 0) {
            options.milliseconds = peer_number("--milliseconds", argv[++i], 1, 3600000);
        } else if (strcmp(argv[i], "--messages") == 0) {
            options.messages = peer_number("--messages", argv[++i], 1, 1000000000);
            options.milliseconds = 0;
        } else {
            peer_fail_usage("there is no option '%s'; give --port, --size, --window, --milliseconds or --messages", argv[i]);
        }
    }
    if (options.port == 0) peer_fail_usage("--port is missing; give the port of an echo server on 127.0.0.1");
    return options;
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) peer_fail("socket");
    struct sockaddr_in address = peer_loopback(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) peer_fail("connect");
    return fd;
}

// Fills the free slots with new datagrams and sends them together.
static void send_more(struct run *run, unsigned most)
{
    static struct iovec vectors[WINDOW_MAX];
    static struct mmsghdr messages[WINDOW_MAX];
    unsigned count = 0;
    for (unsigned slot = 0; slot < run->options.window && count < most; slot++) {
        if (run->is_away[slot]) continue;
        // The number modulo the window is the slot, so a reply names its own.
        uint64_t number = run->numbers[slot] + run->options.window;
        run->numbers[slot] = number;
        run->is_away[slot] = true;
        memcpy(run->bytes[slot], &number, sizeof number);
        memset(run->bytes[slot] + sizeof number, (int)(number & 0xff), run->options.size - sizeof number);
        vectors[count] = (struct iovec){.iov_base = run->bytes[slot], .iov_len = run->options.size};
        messages[count].msg_hdr = (struct msghdr){.msg_iov = &vectors[count], .msg_iovlen = 1};
        count++;
    }
    for (unsigned sent = 0; sent < count;) {
        int more = sendmmsg(run->fd, messages + sent, count - sent, 0);
        if (more < 0) peer_fail("sendmmsg");
        sent += (unsigned)more;
    }
    run->away += count;
}

static void check(struct run *run, const char *bytes, size_t size)
{
    uint64_t number = 0;
    if (size == run->options.size) memcpy(&number, bytes, sizeof number);
    unsigned slot = (unsigned)(number % run->options.window);
    if (size != run->options.size || number > run->numbers[slot]) {
        fprintf(stderr, "udp-load: a datagram of %zu bytes came that was never sent\n", size);
        run->errors++;
    } else if (number < run->numbers[slot]) {
        return; // late: it was given up
    } else if (!run->is_away[slot]) {
        fprintf(stderr, "udp-load: datagram %llu came twice\n", (unsigned long long)number);
        run->errors++;
    } else if (memcmp(bytes, run->bytes[slot], size) != 0) {
        fprintf(stderr, "udp-load: datagram %llu came back changed\n", (unsigned long long)number);
        run->errors++;
    } else {
        run->is_away[slot] = false;
        run->away--;
        run->replies++;
    }
}

// Takes what is there, waiting for one.
static void receive_some(struct run *run)
{
    static struct iovec vectors[WINDOW_MAX];
    static struct mmsghdr messages[WINDOW_MAX];
    for (unsigned i = 0; i < WINDOW_MAX; i++) {
        vectors[i] = (struct iovec){.iov_base = run->received[i], .iov_len = DATAGRAM_SIZE_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(run->fd, messages, WINDOW_MAX, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN) peer_fail("recvmmsg");
    for (int i = 0; i < count; i++) check(run, run->received[i], messages[i].msg_len);
    if (count > 0) return;
    struct pollfd readable = {.fd = run->fd, .events = POLLIN};
    if (poll(&readable, 1, SILENCE_MILLISECONDS) != 0) return;
    run->lost += run->away;
    run->away = 0;
    memset(run->is_away, 0, sizeof run->is_away);
}

int main(int argc, char **argv)
{
    struct run run = {.options = options_parse(argc, argv)};
    run.fd = connect_to(run.options.port);
    run.bytes = calloc(WINDOW_MAX, DATAGRAM_SIZE_MAX);
    run.received = calloc(WINDOW_MAX, DATAGRAM_SIZE_MAX);
    if (!run.bytes || !run.received) peer_fail("calloc");
    for (unsigned slot = 0; slot < run.options.window; slot++) run.numbers[slot] = slot;

    double start = seconds_now();
    double end = run.options.milliseconds > 0 ? start + (double)run.options.milliseconds / 1000 : 0;
    while (run.errors == 0) {
        bool is_over = end > 0 ? seconds_now() >= end : run.replies + run.away >= run.options.messages;
        if (is_over && run.away == 0) break;
        if (!is_over) {
            unsigned long left = end > 0 ? WINDOW_MAX : run.options.messages - run.replies - run.away;
            send_more(&run, left < WINDOW_MAX ? (unsigned)left : WINDOW_MAX);
        }
        receive_some(&run);
    }
    double seconds = seconds_now() - start;

    printf("{\"replies\": %llu, \"lost\": %llu, \"errors\": %llu, \"seconds\": %.6f}\n", (unsigned long long)run.replies,
           (unsigned long long)run.lost, (unsigned long long)run.errors, seconds);
    return run.errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

#include <stdio.h>

int main(void)
{
    fputs("udp-load: recvmmsg is Linux's own; run this load generator there\n", stderr);
    return 1;
}

#endif

// The UDP servers to measure against: as little as Linux allows between a datagram and its echo. One thread and one blocking socket, so that
// not even waiting costs a call; they serve one port and can do nothing beside it, which makes them a floor and not servers to run.
//
// `loop` takes and sends one datagram at a time, as most programs do; `batch` takes those that are there, and sends their replies together.

#ifdef __linux__
#define _GNU_SOURCE

#include "peer.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    DATAGRAM_SIZE_MAX = 8192, // as much as Twill takes unless told otherwise
    BATCH_COUNT_MAX = 64,     // so does this
};

struct options {
    bool batches;
    uint16_t port; // 0: any free port
};

static void print_help(void)
{
    printf("Echoes datagrams on 127.0.0.1, to be measured by bench.\n\n"
           "Usage: udp-echo loop|batch [--port PORT]\n\n"
           "  loop         one recvfrom and one sendto for each datagram\n"
           "  batch        one recvmmsg and one sendmmsg for as many as are there, %d at most\n"
           "  --port PORT  the port to listen on; 0, the default, takes any free one\n",
           BATCH_COUNT_MAX);
}

static struct options options_parse(int argc, char **argv)
{
    struct options options = {0};
    bool has_mode = false;
    if (argc > 0) peer_set_program(argv[0]);

    for (int i = 1; i < argc; i++) {
        // argv ends in NULL, so the argument after the last one is there to be looked at.
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            exit(EX_OK);
        } else if (strcmp(argv[i], "--port") == 0) {
            options.port = (uint16_t)peer_number("--port", argv[++i], 0, UINT16_MAX);
        } else if (!has_mode && (strcmp(argv[i], "loop") == 0 || strcmp(argv[i], "batch") == 0)) {
            options.batches = argv[i][0] == 'b';
            has_mode = true;
        } else {
            peer_fail_usage("there is no mode or option '%s'; give loop or batch, and --port", argv[i]);
        }
    }
    if (!has_mode) peer_fail_usage("the mode is missing; give loop or batch");
    return options;
}

// The server keeps nothing that is worth saving, so the handler may end it wherever it stands.
static void on_terminate(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static void echo_one_by_one(int fd)
{
    static char bytes[DATAGRAM_SIZE_MAX];
    for (;;) {
        struct sockaddr_in sender;
        socklen_t length = sizeof sender;
        ssize_t size = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&sender, &length);
        if (size < 0) peer_fail("recvfrom");
        if (sendto(fd, bytes, (size_t)size, 0, (struct sockaddr *)&sender, length) < 0) peer_fail("sendto");
    }
}

static void echo_batches(int fd)
{
    static char bytes[BATCH_COUNT_MAX][DATAGRAM_SIZE_MAX];
    static struct sockaddr_in senders[BATCH_COUNT_MAX];
    static struct iovec vectors[BATCH_COUNT_MAX];
    static struct mmsghdr messages[BATCH_COUNT_MAX];
    for (int i = 0; i < BATCH_COUNT_MAX; i++) {
        vectors[i].iov_base = bytes[i];
        messages[i].msg_hdr = (struct msghdr){.msg_name = &senders[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    for (;;) {
        for (int i = 0; i < BATCH_COUNT_MAX; i++) {
            vectors[i].iov_len = DATAGRAM_SIZE_MAX;
            messages[i].msg_hdr.msg_namelen = sizeof senders[i];
        }
        int count = recvmmsg(fd, messages, BATCH_COUNT_MAX, MSG_WAITFORONE, NULL);
        if (count < 0) peer_fail("recvmmsg");
        for (int i = 0; i < count; i++) vectors[i].iov_len = messages[i].msg_len;
        for (int sent = 0; sent < count;) {
            int more = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
            if (more < 0) peer_fail("sendmmsg");
            sent += more;
        }
    }
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    struct sigaction terminate = {.sa_handler = on_terminate};
    sigaction(SIGTERM, &terminate, NULL);

    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) peer_fail("socket");
    struct sockaddr_in address = peer_loopback(options.port);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) peer_fail("bind");
    peer_print_listening(fd);
    if (options.batches) echo_batches(fd);
    else echo_one_by_one(fd);
}

#else

#include <stdio.h>

int main(void)
{
    fputs("udp-echo: recvmmsg is Linux's own; run this peer there\n", stderr);
    return 1;
}

#endif

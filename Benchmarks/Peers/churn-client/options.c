#include "options.h"
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const unsigned long connections_max = 1000000000;
// What still fits into a server's backlog, where the kernel's own limit is as high.
static const unsigned long concurrency_max = PEER_BACKLOG;

static void print_help(void)
{
    printf("Connects to an echo server on 127.0.0.1, sends 64 bytes, checks that they come back, closes; again and again.\n\n"
           "Usage: churn-client --port PORT [--connections TOTAL] [--concurrency N] [--close fin|reset]\n\n"
           "  --port PORT          the server's port\n"
           "  --connections TOTAL  how many connections to make, all told (default: 1000000)\n"
           "  --concurrency N      how many of them to have in progress at a time, 1 to %lu (default: 64)\n"
           "  --close fin|reset    how to close: the ordinary way (default), or so that the server sees a reset\n\n"
           "Prints {\"connections\": DONE, \"errors\": ERRORS, \"seconds\": SECONDS} and exits with status 1 if there was an error.\n",
           concurrency_max);
}

static bool resets(const char *how)
{
    if (!how) peer_fail_usage("--close needs a value, fin or reset");
    if (strcmp(how, "fin") == 0) return false;
    if (strcmp(how, "reset") == 0) return true;
    peer_fail_usage("there is no --close '%s'; give fin or reset", how);
}

struct options options_parse(int argc, char **argv)
{
    struct options options = {.connections = 1000000, .concurrency = 64};
    if (argc > 0) peer_set_program(argv[0]);

    for (int i = 1; i < argc; i++) {
        // argv ends in NULL, so the argument after the last one is there to be looked at.
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            exit(EX_OK);
        } else if (strcmp(argv[i], "--port") == 0) {
            options.port = (uint16_t)peer_number("--port", argv[++i], 1, UINT16_MAX);
        } else if (strcmp(argv[i], "--connections") == 0) {
            options.connections = peer_number("--connections", argv[++i], 1, connections_max);
        } else if (strcmp(argv[i], "--concurrency") == 0) {
            options.concurrency = (uint32_t)peer_number("--concurrency", argv[++i], 1, concurrency_max);
        } else if (strcmp(argv[i], "--close") == 0) {
            options.resets = resets(argv[++i]);
        } else {
            peer_fail_usage("there is no option '%s'; give --port, --connections, --concurrency or --close", argv[i]);
        }
    }
    if (options.port == 0) peer_fail_usage("--port is missing; give the port of an echo server on 127.0.0.1");
    return options;
}

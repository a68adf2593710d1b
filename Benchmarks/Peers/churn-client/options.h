// The command line of the load generator.

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    uint16_t port;        // of the echo server on 127.0.0.1
    uint64_t connections; // how many, all told
    uint32_t concurrency; // how many of them are in progress at a time
    bool resets;          // a connection ends with a reset instead of the ordinary close
};

// Reads `PROGRAM --port PORT [--connections TOTAL] [--concurrency N] [--close fin|reset]`. A bad option ends the process with a
// sentence and status 64.
struct options options_parse(int argc, char **argv);

#endif

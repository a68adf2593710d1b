#define _GNU_SOURCE

#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>

enum { BUFFER_SIZE_MIN = 1024, BUFFER_SIZE_MAX = 16 * 1024 * 1024 };

static const char *program = "peer";

void peer_set_program(const char *path)
{
    const char *slash = strrchr(path, '/');
    program = slash ? slash + 1 : path;
}

static void print_help(void)
{
    printf("Serves one protocol on 127.0.0.1 or a UNIX socket, to be measured by bench.\n\n"
           "Usage: %s MODE [--port PORT | --path PATH] [--buffer BYTES]\n\n"
           "  MODE            what comes back: echo, every byte; line, every line that ends in CRLF; netstring, every\n"
           "                  netstring; int32, every string behind a big-endian length of four bytes\n"
           "  --port PORT     the port to listen on; 0, the default, takes any free one\n"
           "  --path PATH     the UNIX socket to listen on instead; @NAME is a name outside of the file system\n"
           "  --buffer BYTES  read at most this many bytes at once, %d to %d\n",
           program, BUFFER_SIZE_MIN, BUFFER_SIZE_MAX);
}

unsigned long peer_number(const char *option, const char *text, unsigned long min, unsigned long max)
{
    if (!text) peer_fail_usage("%s needs a value, a number from %lu to %lu", option, min, max);
    char *end = NULL;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    // strtoul takes "-1" for the largest number there is, so the first character is looked at too.
    bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (!is_number || value < min || value > max)
        peer_fail_usage("%s %s is out of range; give a number from %lu to %lu", option, text, min, max);
    return value;
}

static enum peer_mode mode_named(const char *name)
{
    if (strcmp(name, "echo") == 0) return PEER_ECHO;
    if (strcmp(name, "line") == 0) return PEER_LINE;
    if (strcmp(name, "netstring") == 0) return PEER_NETSTRING;
    if (strcmp(name, "int32") == 0) return PEER_INT32;
    peer_fail_usage("there is no mode or option '%s'; give echo, line, netstring or int32, --port, --path or --buffer", name);
}

static const char *path_checked(const char *path)
{
    size_t length_max = sizeof ((struct sockaddr_un *)NULL)->sun_path - 1;
    if (!path || !*path || strlen(path) > length_max)
        peer_fail_usage("--path needs a path of at most %zu bytes, such as /tmp/echo or @echo", length_max);
    return path;
}

struct peer_options peer_options_parse(int argc, char **argv)
{
    struct peer_options options = {0};
    bool has_mode = false;
    if (argc > 0) peer_set_program(argv[0]);

    for (int i = 1; i < argc; i++) {
        // argv ends in NULL, so the argument after the last one is there to be looked at.
        if (strcmp(argv[i], "--help") == 0) {
            print_help();
            exit(EX_OK);
        } else if (strcmp(argv[i], "--port") == 0) {
            options.port = (uint16_t)peer_number("--port", argv[++i], 0, UINT16_MAX);
        } else if (strcmp(argv[i], "--path") == 0) {
            options.path = path_checked(argv[++i]);
        } else if (strcmp(argv[i], "--buffer") == 0) {
            options.buffer_size = peer_number("--buffer", argv[++i], BUFFER_SIZE_MIN, BUFFER_SIZE_MAX);
        } else if (has_mode) {
            peer_fail_usage("'%s' is one argument too many; give one mode, --port or --path, and --buffer", argv[i]);
        } else {
            options.mode = mode_named(argv[i]);
            has_mode = true;
        }
    }
    if (!has_mode) peer_fail_usage("the mode is missing; give echo, line, netstring or int32");
    return options;
}

void peer_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) peer_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
#ifdef __APPLE__
    // macOS calls the hard limit infinite and then refuses it.
    if (limit.rlim_cur > OPEN_MAX) limit.rlim_cur = OPEN_MAX;
#endif
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) peer_fail("setrlimit");
}

void peer_set_no_delay(int descriptor)
{
    int on = 1;
    // Fails only on a connection that is already gone, which the next read finds out anyway.
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

struct sockaddr_in peer_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

struct peer_address peer_listening_address(const struct peer_options *options)
{
    if (!options->path) return (struct peer_address){.ipv4 = peer_loopback(options->port), .length = sizeof(struct sockaddr_in)};
    struct peer_address address = {.unix_path.sun_family = AF_UNIX};
    size_t length = strlen(options->path);
    memcpy(address.unix_path.sun_path, options->path, length);
    if (options->path[0] == '@') address.unix_path.sun_path[0] = '\0';
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return address;
}

static void print_unix_path(const struct peer_address *address)
{
    const char *path = address->unix_path.sun_path;
    int length = (int)(address->length - offsetof(struct sockaddr_un, sun_path));
    if (path[0] == '\0') printf("listening on unix:@%.*s\n", length - 1, path + 1);
    else printf("listening on unix:%.*s\n", length, path);
}

void peer_print_listening(int listener)
{
    struct peer_address address = {.length = sizeof(struct sockaddr_un)};
    if (getsockname(listener, &address.any, &address.length) < 0) peer_fail("getsockname");
    int type = 0;
    socklen_t type_length = sizeof type;
    if (getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &type_length) < 0) peer_fail("getsockopt");
    const char *scheme = type == SOCK_DGRAM ? "udp" : "tcp";
    if (address.any.sa_family == AF_UNIX) print_unix_path(&address);
    else printf("listening on %s:127.0.0.1:%u\n", scheme, (unsigned)ntohs(address.ipv4.sin_port));
    // Standard output is usually the driver's pipe, which stdio would otherwise fill a page at a time.
    fflush(stdout);
}

void peer_fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
    exit(EXIT_FAILURE);
}

void peer_fail_usage(const char *format, ...)
{
    fprintf(stderr, "%s: ", program);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EX_USAGE);
}

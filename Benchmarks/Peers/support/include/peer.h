// What every peer does alike, so that the peers differ only in how they serve: the command line, the limit on
// descriptors, the line that says they are ready, and how they give up. The load generator shares what fits it.

#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum peer_mode {
    PEER_ECHO,      // every byte comes back
    PEER_LINE,      // every line that ends in CRLF comes back once it is whole
    PEER_NETSTRING, // so does every netstring, `5:hello,`
    PEER_INT32,     // so does every string behind its length, a big-endian number of four bytes
};

// The longest line a peer accepts, without its CRLF; a longer one ends the connection. The same limit as Twill's.
enum { PEER_LINE_LENGTH_MAX = 16384 };

// Connections that may wait to be accepted, so that a load tester that opens thousands at once is not refused. The
// kernel lowers it to net.core.somaxconn.
enum { PEER_BACKLOG = 4096 };

struct peer_options {
    enum peer_mode mode;
    uint16_t port;      // 0: any free port
    const char *path;   // of a UNIX socket, instead of the port; NULL: TCP
    size_t buffer_size; // bytes a peer reads at most at once; 0: the peer's own default
};

// Where a socket is, of either family.
struct peer_address {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_un unix_path;
    };
    socklen_t length;
};

// Reads `PROGRAM MODE [--port PORT | --path PATH] [--buffer BYTES]`. A bad option ends the process with a sentence and status 64.
struct peer_options peer_options_parse(int argc, char **argv);

// Remembers what the program is called, for its messages. peer_options_parse does it for the servers.
void peer_set_program(const char *path);

// The value of an option, as a number from min to max. Anything else, NULL too, ends the process with a sentence and status 64.
unsigned long peer_number(const char *option, const char *text, unsigned long min, unsigned long max);

// Raises the soft limit on open files to the hard one: the usual soft limit of 1024 is less than the connections measured.
void peer_raise_descriptor_limit(void);

// Turns off Nagle's delay, so that what is measured is a server's work and not a timer of the kernel's.
void peer_set_no_delay(int descriptor);

// 127.0.0.1 with the port asked for: a benchmark's server is nobody else's business.
struct sockaddr_in peer_loopback(uint16_t port);

// Where the options say to listen: a path that begins with `@` is a name that Linux keeps outside of the file system.
struct peer_address peer_listening_address(const struct peer_options *options);

// Prints `listening on tcp:127.0.0.1:PORT`, or udp: for a datagram socket, with the port that the socket was really given, or `unix:PATH`.
// The driver waits for this line, the only one that a peer prints.
void peer_print_listening(int listener);

// Ends the process with `PROGRAM: what: the system's words for errno` and status 1.
_Noreturn void peer_fail(const char *what);

// Ends the process with `PROGRAM: sentence` and status 64, for a command line that makes no sense.
_Noreturn void peer_fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

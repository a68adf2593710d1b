// What Twill takes from C: libevent's core (the event base, events and bufferevents), and the few things around sockets that C headers
// do not show to Swift alike on every system. Only libevent_core is linked; the DNS, HTTP, RPC and tag modules are never reached.

#ifndef TWILL_CLIBEVENT_SHIM_H
#define TWILL_CLIBEVENT_SHIM_H

// The system's headers come first: libevent's define _GNU_SOURCE, under which some of these types look different from what Swift's own
// modules say of them.
#include <fcntl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

// Twill's defences are written for the 2.1.12 behaviour that distributions ship; earlier releases lack fixes that it relies on.
#if !defined(LIBEVENT_VERSION_NUMBER) || LIBEVENT_VERSION_NUMBER < 0x02010c00
#error "Twill needs libevent 2.1.12 or newer: install libevent-dev (apt) or libevent (brew)"
#endif

#ifndef __linux__
#include <unistd.h>
#endif

#ifdef __linux__
#include <sys/eventfd.h>

// Declared by <sys/socket.h> only under _GNU_SOURCE, which a module can't ask for.
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
struct mmsghdr;
extern int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout);
extern int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags);
#endif

// Nanoseconds of a clock of the system's. In C, because the module in which Swift finds a timespec's fields depends on what else is compiled.
static inline long long twill_clock_nanoseconds(clockid_t clock) {
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Accepts a connection as a non-blocking socket that is closed on exec.
static inline int twill_accept(int listener, struct sockaddr *address, socklen_t *length) {
#ifdef __linux__
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int descriptor = accept(listener, address, length);
    int yes = 1;
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof(yes));
    }
    return descriptor;
#endif
}

// Makes a stream socket that is non-blocking, closed on exec, and never raises SIGPIPE where the system has a way to say so.
static inline int twill_stream_socket(int family) {
#ifdef __linux__
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int descriptor = socket(family, SOCK_STREAM, 0);
    int yes = 1;
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof(yes));
    }
    return descriptor;
#endif
}

// Who is at the other end of a UNIX socket: 0, or -1 with errno. The process is 0 where the system does not tell.
static inline int twill_peer_credentials(int descriptor, int *process, unsigned *user, unsigned *group) {
#ifdef __linux__
    // What <sys/socket.h> calls struct ucred, under _GNU_SOURCE only.
    struct { int process; unsigned user; unsigned group; } peer;
    socklen_t length = sizeof(peer);
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    // For any other kind of socket the system answers with nobody.
    if (peer.process == 0 && peer.user == (unsigned)-1) return -1;
    *process = peer.process;
    *user = peer.user;
    *group = peer.group;
    return 0;
#else
    *process = 0;
    return getpeereid(descriptor, user, group);
#endif
}

// The flag that keeps one send from raising SIGPIPE, where there is such a flag.
#ifdef MSG_NOSIGNAL
static const int twill_send_flags = MSG_NOSIGNAL;
#else
static const int twill_send_flags = 0;
#endif

// Makes a datagram socket that is non-blocking and closed on exec.
static inline int twill_datagram_socket(int family) {
#ifdef __linux__
    return socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int descriptor = socket(family, SOCK_DGRAM, 0);
    if (descriptor >= 0) {
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
    return descriptor;
#endif
}

// One datagram of many that go through one call: what recvmsg and sendmsg take, and how many bytes it had. Laid out as Linux's mmsghdr.
struct twill_datagram {
    struct msghdr message;
    unsigned int length;
};

// What a header's flags say of a datagram that was longer than its place.
static const int twill_truncated_flag = MSG_TRUNC;

// Receives the datagrams that are there, at most so many; how many they were, or -1 with errno where the first could not be had.
static inline int twill_receive_datagrams(int descriptor, struct twill_datagram *datagrams, unsigned int count) {
#ifdef __linux__
    return recvmmsg(descriptor, (struct mmsghdr *)datagrams, count, 0, NULL);
#else
    unsigned int done = 0;
    for (ssize_t length; done < count && (length = recvmsg(descriptor, &datagrams[done].message, 0)) >= 0; done++)
        datagrams[done].length = (unsigned int)length;
    return done > 0 ? (int)done : -1;
#endif
}

#ifdef __linux__
// From <netinet/udp.h>, where older C libraries don't have it.
enum { twill_udp_level = 17, twill_udp_segment = 103 };
#endif

// Sends datagrams in their order; how many the system took, or -1 with errno where it refused the first.
static inline int twill_send_datagrams(int descriptor, struct twill_datagram *datagrams, unsigned int count) {
#ifdef __linux__
    return sendmmsg(descriptor, (struct mmsghdr *)datagrams, count, twill_send_flags);
#else
    unsigned int done = 0;
    while (done < count && sendmsg(descriptor, &datagrams[done].message, twill_send_flags) >= 0) done++;
    return done > 0 ? (int)done : -1;
#endif
}

// Whether the system cuts what a socket sends into datagrams (UDP_SEGMENT, Linux 4.18). An older one would take the request for nothing, and send
// one long datagram.
static inline int twill_can_send_runs(int descriptor) {
#ifdef __linux__
    int off = 0;
    return setsockopt(descriptor, twill_udp_level, twill_udp_segment, &off, sizeof(off)) == 0;
#else
    return 0;
#endif
}

// Sends datagrams to the address of the first, all of its size but for the last, which may be shorter: as one that the system cuts behind the
// protocol's work. Their vectors lie one behind the other. All of them are taken, or none: 0, or -1 with errno.
static inline int twill_send_run(int descriptor, const struct twill_datagram *first, unsigned int count) {
#ifdef __linux__
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(unsigned short))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(unsigned short)), .cmsg_level = twill_udp_level, .cmsg_type = twill_udp_segment}};
    *(unsigned short *)CMSG_DATA(&control.header) = (unsigned short)first->message.msg_iov->iov_len;
    struct msghdr message = first->message;
    message.msg_iovlen = count;
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    return sendmsg(descriptor, &message, twill_send_flags) < 0 ? -1 : 0;
#else
    (void)descriptor, (void)first, (void)count;
    errno = EOPNOTSUPP;
    return -1;
#endif
}

#endif

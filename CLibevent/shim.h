// What Twill takes from C: libevent's core (the event base, events and bufferevents), and the few things around sockets that C headers
// do not show to Swift alike on every system. Only libevent_core is linked; the DNS, HTTP, RPC and tag modules are never reached.

#ifndef TWILL_CLIBEVENT_SHIM_H
#define TWILL_CLIBEVENT_SHIM_H

// The system's headers come first: libevent's define _GNU_SOURCE, under which some of these types look different from what Swift's own
// modules say of them.
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
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
#include <errno.h>
#include <unistd.h>
#endif

#ifdef __APPLE__
#include <crt_externs.h>
#endif

#ifdef __linux__
#include <sys/eventfd.h>

// Declared by <sys/socket.h> only under _GNU_SOURCE, which a module can't ask for.
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
struct mmsghdr;
extern int recvmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout);
extern int sendmmsg(int descriptor, struct mmsghdr *messages, unsigned int count, int flags);
extern int pipe2(int ends[2], int flags);
extern long syscall(long number, ...);
#endif

// Nanoseconds of a clock of the system's. In C, because the module in which Swift finds a timespec's fields depends on what else is compiled.
static inline long long twill_clock_nanoseconds(clockid_t clock) {
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

// A number of the thread that calls, never 0: the address of something that each thread has one of. Called from one Swift file only, because
// each has its own copy of this function.
static inline uintptr_t twill_thread(void) {
    static _Thread_local char mark;
    return (uintptr_t)&mark;
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

// The descriptors that one message may bring or take, in C's own wrapping. A buffer of 64-bit words is aligned as the system wants it.
#define TWILL_PASSED_MAX 253
#define TWILL_PASSED_WORDS ((CMSG_SPACE(TWILL_PASSED_MAX * sizeof(int)) + 7) / 8)

// Sends bytes and at most that many descriptors with the first of them: how many bytes, or -1 with errno.
static inline ssize_t twill_send_passing(int socket, const void *bytes, size_t size, const int *descriptors, unsigned count) {
    uint64_t space[TWILL_PASSED_WORDS] = {0};
    struct iovec vector = {(void *)bytes, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    return sendmsg(socket, &message, twill_send_flags);
}

// Receives bytes, and descriptors that are closed on exec: how many bytes, or -1 with errno, which is EMFILE where descriptors were lost because
// the process may open no more files. Those that did arrive are there in either case.
static inline ssize_t twill_receive_passed(int socket, void *bytes, size_t size, int *descriptors, unsigned room, unsigned *count) {
    uint64_t space[TWILL_PASSED_WORDS];
    struct iovec vector = {bytes, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
#ifdef MSG_CMSG_CLOEXEC
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
#else
    ssize_t received = recvmsg(socket, &message, 0);
#endif
    *count = 0;
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t length = header->cmsg_len - CMSG_LEN(0);
        for (size_t offset = 0; offset + sizeof(int) <= length && *count < room; offset += sizeof(int)) {
            memcpy(&descriptors[*count], CMSG_DATA(header) + offset, sizeof(int));
#ifndef MSG_CMSG_CLOEXEC
            fcntl(descriptors[*count], F_SETFD, FD_CLOEXEC);
#endif
            *count += 1;
        }
    }
    if (message.msg_flags & MSG_CTRUNC) {
        errno = EMFILE;
        return -1;
    }
    return received;
}

// Linux's own options: whether a socket hears groups that only others have joined. The headers have them under other names, or not at all.
#ifdef __linux__
static const int twill_ip_multicast_all = 49;
static const int twill_ipv6_multicast_all = 29;
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

// Makes a pipe whose ends are closed on exec: 0, or -1 with errno.
static inline int twill_pipe(int *reading, int *writing) {
    int ends[2];
#ifdef __linux__
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
#else
    if (pipe(ends) != 0) return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#endif
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

// A descriptor that becomes readable when a child has ended, closed on exec: or -1 with errno, where the system has no such thing.
static inline int twill_process_descriptor(int process) {
#ifdef __linux__
    // pidfd_open, whose number is the same on every processor and older than that of some headers.
    return (int)syscall(434, process, 0);
#else
    (void)process;
    errno = ENOSYS;
    return -1;
#endif
}

// Sends a signal to the process behind such a descriptor, and to no other that has its number by then.
static inline int twill_process_signal(int descriptor, int number) {
#ifdef __linux__
    // pidfd_send_signal.
    return (int)syscall(424, descriptor, number, NULL, 0);
#else
    (void)descriptor;
    (void)number;
    errno = ENOSYS;
    return -1;
#endif
}

// Lets a child begin in a folder. The actions are what posix_spawn takes, untyped because <spawn.h> would bring types that Swift's own modules
// have already.
static inline int twill_spawn_folder(void *actions, const char *path) {
#ifdef __APPLE__
    extern int twill_add_folder(void *actions, const char *path) __asm__("_posix_spawn_file_actions_addchdir_np");
#else
    extern int twill_add_folder(void *actions, const char *path) __asm__("posix_spawn_file_actions_addchdir_np");
#endif
    return twill_add_folder(actions, path);
}

// Closes every descriptor from a number on in a child, whoever has opened it; where the system can't, those are left to it that are not closed
// on exec.
static inline int twill_spawn_close_from(void *actions, int first) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    extern int twill_add_close_from(void *actions, int first) __asm__("posix_spawn_file_actions_addclosefrom_np");
    return twill_add_close_from(actions, first);
#else
    (void)actions;
    (void)first;
    return 0;
#endif
}

// The variables of this process's environment.
static inline char **twill_environment(void) {
#ifdef __APPLE__
    return *_NSGetEnviron();
#else
    extern char **environ;
    return environ;
#endif
}

#ifdef __linux__
// From <netinet/udp.h>, where older C libraries don't have it.
enum { twill_udp_level = 17, twill_udp_segment = 103 };
#endif

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

// Puts load on a TLS server of 127.0.0.1, from one thread: an echo of messages on many connections, handshakes one after another, or connections that
// do nothing. Prints one line at the end: messages, handshakes, failures, seconds, and the microseconds of CPU time that the server has taken; with
// --canary, which sends a message each 10 ms on one connection, how long the slowest of 100 answers and the slowest of all were waited for, too.

#ifdef __linux__
#define _GNU_SOURCE

#include "peer.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 1024 };

struct connection {
    int fd;
    SSL *ssl;
    bool is_secure;
    int received;
    // With a rate, those that wait for their turn.
    struct connection *next_waiting;
};

enum mode { ECHO, HANDSHAKES, IDLE, CANARY };

static enum mode mode;
static int epoll;
static SSL_CTX *context;
static struct sockaddr_in address;
static int message_size = 64;
static char *message;
static char *answer;
static unsigned long messages, handshakes, failures;
// How many handshakes are begun in a second; 0 for as many as can be.
static double rate;
static struct connection *waiting;
// The canary: when the message that is out was due, how long the answers took, and how many there were.
enum { CANARY_MAX = 1 << 20 };
static const double canary_interval = 0.01;
static double canary_due;
static bool canary_waits;
static double *delays;
static int delay_count;

// The CPU time that a process has taken, in microseconds.
static double cpu_time(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (pid == 0) return 0;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0) peer_fail("clock_getcpuclockid");
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

// Writes a certificate that signs itself, and its key, for all servers alike.
static void make_certificate(const char *path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    FILE *file = fopen(path, "w"), *key_file = fopen(key_path, "w");
    if (!file || !key_file || !X509_sign(certificate, key, EVP_sha256()) || !PEM_write_X509(file, certificate)
        || !PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL))
        peer_fail("the certificate");
    fclose(file);
    fclose(key_file);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void open_connection(struct connection *connection)
{
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) peer_fail("socket");
    // Loopback answers at once, so connecting may block.
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0) peer_fail("connect");
    peer_set_no_delay(connection->fd);
    connection->ssl = SSL_new(context);
    SSL_set_fd(connection->ssl, connection->fd);
    SSL_set_connect_state(connection->ssl);
    connection->is_secure = false;
    connection->received = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0) peer_fail("epoll_ctl");
}

static void close_connection(struct connection *connection)
{
    SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    // A reset spares the ports, of which a run of handshakes needs many.
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (mode == HANDSHAKES) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(connection->fd);
}

static void send_message(struct connection *connection)
{
    if (SSL_write(connection->ssl, message, message_size) != message_size) failures++;
}

static void begin(struct connection *connection)
{
    open_connection(connection);
    fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    ERR_clear_error();
    SSL_do_handshake(connection->ssl);
}

// Goes on with the next handshake on a connection that has had its one.
static void go_on(struct connection *connection)
{
    if (rate == 0) {
        begin(connection);
        return;
    }
    connection->next_waiting = waiting;
    waiting = connection;
}

// Sends the canary's next message when it is due. One that is late counts from then, so that no standstill is missed.
static void feed_canary(struct connection *connection, double time)
{
    if (!connection->is_secure || canary_waits || time < canary_due) return;
    canary_waits = true;
    send_message(connection);
}

static void note_canary(double time)
{
    if (delay_count < CANARY_MAX) delays[delay_count++] = time - canary_due;
    canary_waits = false;
    canary_due += canary_interval;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

// Does what comes next on a connection on which something has arrived.
static void ready(struct connection *connection)
{
    ERR_clear_error();
    if (!connection->is_secure) {
        int result = SSL_do_handshake(connection->ssl);
        if (result <= 0) {
            int error = SSL_get_error(connection->ssl, result);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
            failures++;
            close_connection(connection);
            if (failures < 100) begin(connection);
            return;
        }
        connection->is_secure = true;
        handshakes++;
        canary_due = now();
        if (mode != IDLE && mode != CANARY) send_message(connection);
        return;
    }
    for (;;) {
        int count = SSL_read(connection->ssl, answer, message_size);
        if (count <= 0) {
            int error = SSL_get_error(connection->ssl, count);
            if (error == SSL_ERROR_WANT_READ) return;
            failures++;
            close_connection(connection);
            if (failures < 100) begin(connection);
            return;
        }
        connection->received += count;
        if (connection->received < message_size) continue;
        connection->received = 0;
        messages++;
        if (mode == HANDSHAKES) {
            close_connection(connection);
            go_on(connection);
            return;
        }
        if (mode == CANARY) {
            note_canary(now());
            return;
        }
        send_message(connection);
    }
}

int main(int argc, char **argv)
{
    peer_set_program(argv[0]);
    int connections = 64;
    double seconds = 3, warmup = 0.5, cpu = 0;
    unsigned long count_max = 0;
    pid_t server = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--port") == 0) address = peer_loopback((uint16_t)peer_number("--port", argv[++i], 1, 65535));
        else if (strcmp(argv[i], "--connections") == 0) connections = (int)peer_number("--connections", argv[++i], 1, 100000);
        else if (strcmp(argv[i], "--bytes") == 0) message_size = (int)peer_number("--bytes", argv[++i], 1, 1 << 20);
        else if (strcmp(argv[i], "--milliseconds") == 0) seconds = (double)peer_number("--milliseconds", argv[++i], 1, 3600000) / 1000;
        else if (strcmp(argv[i], "--pid") == 0) server = (pid_t)peer_number("--pid", argv[++i], 1, INT32_MAX);
        else if (strcmp(argv[i], "--certificate") == 0) {
            if (i + 2 >= argc) peer_fail_usage("--certificate needs two files, for the certificate and the key");
            make_certificate(argv[i + 1], argv[i + 2]);
            return 0;
        } else if (strcmp(argv[i], "--handshakes") == 0) mode = HANDSHAKES;
        else if (strcmp(argv[i], "--canary") == 0) mode = CANARY, connections = 1;
        else if (strcmp(argv[i], "--rate") == 0) rate = (double)peer_number("--rate", argv[++i], 1, 1000000);
        else if (strcmp(argv[i], "--count") == 0) count_max = (unsigned long)peer_number("--count", argv[++i], 1, 100000000);
        else if (strcmp(argv[i], "--idle") == 0) mode = IDLE;
        else peer_fail_usage("there is no option '%s'", argv[i]);
    }
    if (!address.sin_port) peer_fail_usage("--port is missing");
    peer_raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    // One cipher for all servers, the one that browsers ask for first: which is chosen would otherwise be the server's taste.
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    message = malloc((size_t)message_size);
    answer = malloc((size_t)message_size);
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (mode == CANARY) delays = calloc(CANARY_MAX, sizeof *delays);
    if (!message || !answer || !all || (mode == CANARY && !delays)) peer_fail("malloc");
    memset(message, 'm', (size_t)message_size);
    epoll = epoll_create1(EPOLL_CLOEXEC);

    static struct epoll_event events[EVENTS_MAX];
    double start = now(), end = start + warmup + seconds;
    bool is_warm = mode == IDLE || count_max > 0;
    int begun = 0;
    unsigned long due = 0;
    for (;;) {
        // A few at a time, so that no queue overflows.
        for (int i = 0; i < 16 && begun < connections && (mode != IDLE || (unsigned long)begun < handshakes + 64); i++) begin(&all[begun++]);
        double time = now();
        for (; waiting && (double)due < (time - start) * rate; due++) {
            struct connection *connection = waiting;
            waiting = connection->next_waiting;
            begin(connection);
        }
        if (mode == CANARY) feed_canary(all, time);
        if (!is_warm && time >= start + warmup) {
            cpu = cpu_time(server);
            is_warm = true;
            messages = handshakes = 0;
            delay_count = 0;
            due = 0;
            start = now();
            end = start + seconds;
        }
        if (mode == IDLE && handshakes == (unsigned long)connections) {
            // Whoever looks at the server now ends this program.
            printf("ready\n");
            fflush(stdout);
            pause();
        }
        if (count_max > 0 ? handshakes >= count_max : mode != IDLE && time >= end) break;
        int count = epoll_wait(epoll, events, EVENTS_MAX, rate > 0 || mode == CANARY ? 1 : 10);
        for (int i = 0; i < count; i++) ready(events[i].data.ptr);
    }
    double elapsed = now() - start;
    printf("%lu %lu %lu %.6f %.0f", messages, handshakes, failures, elapsed, cpu_time(server) - cpu);
    if (mode == CANARY && delay_count > 0) {
        qsort(delays, (size_t)delay_count, sizeof *delays, compare);
        printf(" %.6f %.6f", delays[delay_count * 99 / 100], delays[delay_count - 1]);
    }
    printf("\n");
    return failures > 0;
}

#else

#include <stdio.h>

int main(void)
{
    fputs("tls-load: epoll is Linux's own; run this there\n", stderr);
    return 1;
}

#endif

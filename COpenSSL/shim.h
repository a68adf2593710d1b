// What TwillTLS takes from C: OpenSSL's TLS and certificates, and functions in the place of its macros, which Swift can't see. Only users of
// the product TwillTLS need OpenSSL.

#ifndef TWILL_COPENSSL_SHIM_H
#define TWILL_COPENSSL_SHIM_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "TwillTLS needs OpenSSL 3: install libssl-dev (apt) or openssl@3 (brew)"
#endif

// Where OpenSSL's input comes from and where its output goes while one of its functions runs. All connections of a reactor have one of these in
// common: it belongs to the one whose function runs.
struct twill_tls_io {
    const unsigned char *input;
    size_t input_count;
    unsigned char *output;
    size_t output_count;
    size_t output_capacity;
};

static int twill_bio_read(BIO *bio, char *buffer, int count) {
    struct twill_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (io->input_count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t size = io->input_count < (size_t)count ? io->input_count : (size_t)count;
    memcpy(buffer, io->input, size);
    io->input += size;
    io->input_count -= size;
    return (int)size;
}

static int twill_bio_write(BIO *bio, const char *bytes, int count) {
    struct twill_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (count <= 0) return 0;
    size_t needed = io->output_count + (size_t)count;
    if (needed > io->output_capacity) {
        size_t capacity = needed * 2;
        unsigned char *larger = realloc(io->output, capacity);
        if (!larger) return -1;
        io->output = larger;
        io->output_capacity = capacity;
    }
    memcpy(io->output + io->output_count, bytes, (size_t)count);
    io->output_count = needed;
    return count;
}

static long twill_bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

// The kind of BIO that goes over such memory; NULL where memory ran out. Made once.
static inline BIO_METHOD *twill_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "twill");
    if (!method) return NULL;
    BIO_meth_set_read(method, twill_bio_read);
    BIO_meth_set_write(method, twill_bio_write);
    BIO_meth_set_ctrl(method, twill_bio_ctrl);
    return method;
}

// Makes a connection of a context read from and write to that memory: 0 where memory ran out.
static inline int twill_tls_attach(SSL *ssl, const BIO_METHOD *method, struct twill_tls_io *io) {
    BIO *bio = BIO_new(method);
    if (!bio) return 0;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    // One for reading and writing; the connection owns it.
    SSL_set_bio(ssl, bio, bio);
    return 1;
}

// What came of a step: more than 0 is a number of bytes, or success.
static const int twill_tls_ended = 0;
static const int twill_tls_waits = -1;
static const int twill_tls_failed = -2;

// SSL_get_error would look at the thread's queue of errors first, where another user of OpenSSL may have left something: the queue would have to
// be emptied before each call. The BIO knows whether the last that was done was to ask for input in vain; a function that fails does not end so.
static inline void twill_tls_begin(SSL *ssl) { BIO_clear_retry_flags(SSL_get_rbio(ssl)); }
static inline int twill_tls_outcome(SSL *ssl, int result) {
    if (result > 0) return result;
    if (BIO_should_retry(SSL_get_rbio(ssl))) return twill_tls_waits;
    if (!(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN)) return twill_tls_failed;
    // A fatal alert ends a connection, too, and leaves it unfinished as every failure does. A handshake is unfinished anyway, and has begun with an
    // empty queue.
    return SSL_is_init_finished(ssl) || SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN ? twill_tls_ended : twill_tls_failed;
}

static inline int twill_tls_handshake(SSL *ssl) {
    ERR_clear_error();
    twill_tls_begin(ssl);
    return twill_tls_outcome(ssl, SSL_do_handshake(ssl));
}

static inline int twill_tls_read(SSL *ssl, void *buffer, size_t capacity) {
    twill_tls_begin(ssl);
    return twill_tls_outcome(ssl, SSL_read(ssl, buffer, capacity > INT_MAX ? INT_MAX : (int)capacity));
}

static inline int twill_tls_peek(SSL *ssl) {
    unsigned char first;
    twill_tls_begin(ssl);
    return twill_tls_outcome(ssl, SSL_peek(ssl, &first, 1));
}

static inline int twill_tls_write(SSL *ssl, const void *bytes, size_t count) {
    twill_tls_begin(ssl);
    return twill_tls_outcome(ssl, SSL_write(ssl, bytes, (int)count));
}

// Contexts.

static inline int twill_set_minimum_version(SSL_CTX *context, int version) { return (int)SSL_CTX_set_min_proto_version(context, version); }
static inline void twill_set_maximum_version(SSL_CTX *context, int version) { SSL_CTX_set_max_proto_version(context, version); }
static inline void twill_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
static inline void twill_set_options(SSL_CTX *context, int wants_tickets) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (!wants_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    // One for each connection, and not OpenSSL's two: making one is a sixteenth of a handshake, and who resumes gets a new one.
    SSL_CTX_set_num_tickets(context, 1);
}
static inline void twill_set_cache(SSL_CTX *context, int mode) { SSL_CTX_set_session_cache_mode(context, mode); }
static const int twill_cache_off = SSL_SESS_CACHE_OFF;
static const int twill_cache_client = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
static inline int twill_set_groups(SSL_CTX *context, const char *groups) { return (int)SSL_CTX_set1_groups_list(context, groups); }
static inline int twill_add_chain(SSL_CTX *context, X509 *certificate) { return (int)SSL_CTX_add1_chain_cert(context, certificate); }
static inline int twill_set_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline void twill_on_server_name(SSL_CTX *context, int (*call)(SSL *, int *, void *), void *argument) {
    SSL_CTX_set_tlsext_servername_callback(context, call);
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}
// Has a function called as a handshake goes on, and when messages were read that come after it: new keys, or a ticket.
static inline void twill_on_progress(SSL_CTX *context, void (*call)(const SSL *, int, int)) { SSL_CTX_set_info_callback(context, call); }
static inline int twill_was_late_message(const SSL *ssl, int where) {
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
    return where & SSL_CB_LOOP && (state == TLS_ST_SR_KEY_UPDATE || state == TLS_ST_CR_KEY_UPDATE || state == TLS_ST_CR_SESSION_TICKET);
}

static inline void twill_set_owner(SSL *ssl, void *owner) { SSL_set_app_data(ssl, owner); }
static inline void *twill_owner(const SSL *ssl) { return SSL_get_app_data(ssl); }
static inline SSL *twill_verified_connection(X509_STORE_CTX *store) {
    return X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
}
static const int twill_verify_none = SSL_VERIFY_NONE;
static const int twill_verify_peer = SSL_VERIFY_PEER;
static const int twill_verify_must = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;

// The names that a client is shown of the authorities whose certificates a server takes.
static inline int twill_add_client_authority(SSL_CTX *context, X509 *authority) { return SSL_CTX_add_client_CA(context, authority); }

// Certificates.

static inline BIO *twill_memory(const void *bytes, size_t count) { return BIO_new_mem_buf(bytes, count > INT_MAX ? INT_MAX : (int)count); }
static inline size_t twill_memory_data(BIO *bio, char **bytes) {
    long count = BIO_get_mem_data(bio, bytes);
    return count < 0 ? 0 : (size_t)count;
}

// A password that a key needs: the one that was given, or none, and never a question on the terminal.
static int twill_give_password(char *buffer, int size, int writing, void *password) {
    (void)writing;
    size_t count = password ? strlen(password) : 0;
    if (count > (size_t)size) return -1;
    if (count > 0) memcpy(buffer, password, count);
    return password ? (int)count : -1;
}
static inline EVP_PKEY *twill_read_key(BIO *bio, const char *password) {
    return PEM_read_bio_PrivateKey(bio, NULL, twill_give_password, (void *)password);
}
static inline X509 *twill_read_certificate(BIO *bio) { return PEM_read_bio_X509(bio, NULL, twill_give_password, NULL); }
static inline X509_CRL *twill_read_revocations(BIO *bio) { return PEM_read_bio_X509_CRL(bio, NULL, twill_give_password, NULL); }

// Whether the last that was asked for was not there, rather than broken.
static inline int twill_is_end_of_text(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static inline int twill_chain_count(const STACK_OF(X509) *chain) { return chain ? sk_X509_num(chain) : 0; }
static inline X509 *twill_chain_certificate(const STACK_OF(X509) *chain, int index) { return sk_X509_value(chain, index); }

static inline GENERAL_NAMES *twill_names(X509 *certificate) { return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL); }
static inline int twill_name_count(const GENERAL_NAMES *names) { return names ? sk_GENERAL_NAME_num(names) : 0; }
// One of the names: what kind it is, and its bytes; the kind is -1 for those that are neither names of hosts nor addresses.
static inline int twill_name(const GENERAL_NAMES *names, int index, const unsigned char **bytes, int *count) {
    int kind = -1;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &kind);
    if (kind != GEN_DNS && kind != GEN_IPADD) return -1;
    *bytes = ASN1_STRING_get0_data(value);
    *count = ASN1_STRING_length(value);
    return kind;
}
static const int twill_name_host = GEN_DNS;
static const int twill_name_address = GEN_IPADD;

// The seconds since 1970 of a certificate's time.
static inline long long twill_seconds(const ASN1_TIME *time) {
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    if (epoch) ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return (long long)days * 86400 + seconds;
}

static inline void twill_expect_host(SSL *ssl, unsigned flags) { SSL_set_hostflags(ssl, flags); }
static inline int twill_expect_address(SSL *ssl, const char *address) { return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address); }
static const unsigned twill_host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

// A subject as RFC 2253 writes it, with letters of every alphabet as they are.
static const unsigned long twill_name_style = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;

static inline void twill_check_revocations(X509_STORE *store) { X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL); }
// Whether the certificate that is looked at is the one that the chain ends with: the trusted one.
static inline int twill_is_trusted_end(X509_STORE_CTX *store) {
    int depth = X509_STORE_CTX_get_error_depth(store);
    return depth > 0 && depth == sk_X509_num(X509_STORE_CTX_get0_chain(store)) - 1;
}

static inline unsigned long twill_last_error(void) { return ERR_peek_last_error(); }
static inline int twill_error_reason(unsigned long error) { return ERR_GET_REASON(error); }
static inline int twill_error_library(unsigned long error) { return ERR_GET_LIB(error); }
static const int twill_library_tls = ERR_LIB_SSL;
static const int twill_reason_alerts = SSL_AD_REASON_OFFSET;

#endif

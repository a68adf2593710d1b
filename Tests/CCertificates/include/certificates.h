// Makes certificates for tests, in this process: what `openssl req` and `openssl ca` would do.

#ifndef TWILL_TEST_CERTIFICATES_H
#define TWILL_TEST_CERTIFICATES_H

struct test_certificate {
    const char *common_name;
    // As OpenSSL's configuration writes them: "DNS:localhost,IP:127.0.0.1"; NULL for none.
    const char *names;
    // In seconds from now.
    long valid_from;
    long valid_until;
    int is_authority;
    // 0 for an elliptic curve's, else the number of bits of RSA.
    int rsa_bits;
    int uses_sha1;
    // PEM; NULL for a certificate that signs itself.
    const char *issuer_certificate;
    const char *issuer_key;
    // What the key is encrypted with; NULL for nothing.
    const char *password;
};

// Makes a certificate and its key, in PEM that the caller frees; 0 where that failed.
int test_certificate_make(const struct test_certificate *wanted, char **certificate, char **key);

// Makes a list of revoked certificates with this one in it, or an empty one, in PEM that the caller frees; NULL where that failed.
char *test_certificate_revoke(const char *certificate, const char *issuer_certificate, const char *issuer_key);

// Lets a connection of OpenSSL's (an SSL *) write messages that change its keys; 0 where that failed.
int test_change_keys(void *ssl, int count);

// Leaves an error in the thread's queue of OpenSSL's, as another user of it may.
void test_leave_error(void);

// Whether there is an error in that queue.
int test_has_error(void);

#endif

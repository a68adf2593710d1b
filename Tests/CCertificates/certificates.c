#include "certificates.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static char *text_of(BIO *bio) {
    char *bytes;
    long count = BIO_get_mem_data(bio, &bytes);
    char *text = malloc((size_t)count + 1);
    if (text) {
        memcpy(text, bytes, (size_t)count);
        text[count] = 0;
    }
    BIO_free(bio);
    return text;
}

static X509 *read_certificate(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

static int extend(X509 *certificate, X509 *issuer, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    int is_done = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return is_done;
}

int test_certificate_make(const struct test_certificate *wanted, char **certificate_pem, char **key_pem) {
    EVP_PKEY *key = wanted->rsa_bits ? EVP_RSA_gen((unsigned)wanted->rsa_bits) : EVP_EC_gen("P-256");
    X509 *issuer = wanted->issuer_certificate ? read_certificate(wanted->issuer_certificate) : NULL;
    EVP_PKEY *issuer_key = wanted->issuer_key ? read_key(wanted->issuer_key) : NULL;
    X509 *certificate = X509_new();
    unsigned char serial[8];
    RAND_bytes(serial, sizeof(serial));
    serial[0] &= 0x7F;
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted->valid_from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted->valid_until);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Twill tests", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wanted->common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : name);
    int is_done = extend(certificate, issuer ? issuer : certificate, NID_basic_constraints, wanted->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    is_done = is_done && extend(certificate, issuer ? issuer : certificate, NID_subject_key_identifier, "hash");
    if (wanted->is_authority) is_done = is_done && extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (wanted->names) is_done = is_done && extend(certificate, certificate, NID_subject_alt_name, wanted->names);
    is_done = is_done && X509_sign(certificate, issuer_key ? issuer_key : key, wanted->uses_sha1 ? EVP_sha1() : EVP_sha256()) > 0;
    BIO *bio = BIO_new(BIO_s_mem());
    is_done = is_done && PEM_write_bio_X509(bio, certificate);
    *certificate_pem = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    is_done = is_done
        && PEM_write_bio_PKCS8PrivateKey(bio, key, wanted->password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL, (void *)wanted->password);
    *key_pem = text_of(bio);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return is_done && *certificate_pem && *key_pem;
}

char *test_certificate_revoke(const char *certificate_pem, const char *issuer_pem, const char *issuer_key_pem) {
    X509 *certificate = certificate_pem ? read_certificate(certificate_pem) : NULL;
    X509 *issuer = read_certificate(issuer_pem);
    EVP_PKEY *key = read_key(issuer_key_pem);
    X509_CRL *list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer));
    ASN1_TIME *time = X509_gmtime_adj(NULL, -3600);
    X509_CRL_set1_lastUpdate(list, time);
    if (certificate) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(certificate));
        X509_REVOKED_set_revocationDate(revoked, time);
        X509_CRL_add0_revoked(list, revoked);
    }
    X509_gmtime_adj(time, 86400);
    X509_CRL_set1_nextUpdate(list, time);
    ASN1_TIME_free(time);
    X509_CRL_sort(list);
    int is_done = X509_CRL_sign(list, key, EVP_sha256()) > 0;
    BIO *bio = BIO_new(BIO_s_mem());
    is_done = is_done && PEM_write_bio_X509_CRL(bio, list);
    char *text = text_of(bio);
    X509_CRL_free(list);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(key);
    if (is_done) return text;
    free(text);
    return NULL;
}

int test_change_keys(void *ssl, int count)
{
    for (int i = 0; i < count; i++)
        if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) return 0;
    return 1;
}

void test_leave_error(void) { ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE); }

int test_has_error(void) { return ERR_peek_error() != 0; }

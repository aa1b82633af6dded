// Imports what a client of TLS needs of the system library libssl (OpenSSL); its macros as functions.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static inline long martlet_ssl_set_minimum_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

/// The name that the client says it wants to reach.
static inline long martlet_ssl_set_host_name(SSL *connection, const char *name) {
    return SSL_set_tlsext_host_name(connection, (char *)name);
}

static inline long martlet_ssl_allow_partial_writes(SSL *connection) {
    return SSL_set_mode(connection, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

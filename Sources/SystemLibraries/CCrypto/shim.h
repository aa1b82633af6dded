// Imports the digests of the system library libcrypto (OpenSSL).
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

/// HMAC-SHA-256 into 32 bytes; 0 if it cannot be computed.
static inline int martlet_hmac_sha256(
    const void *key, int keyCount, const unsigned char *text, size_t textCount, unsigned char *digest) {
    unsigned int count = 32;
    return HMAC(EVP_sha256(), key, keyCount, text, textCount, digest, &count) != 0 && count == 32;
}

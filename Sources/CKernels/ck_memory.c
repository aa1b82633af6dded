// Blocks of memory by size class, kept per thread: a batch's buffers are taken and given back all the time, and in the
// general allocator that costs more than filling them.
#include "ck_memory.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Classes are powers of two from 512 bytes to 1 MiB, each with room for the padding that buffers ask for.
enum { LEAST_BITS = 9, MOST_BITS = 20, CLASSES = MOST_BITS - LEAST_BITS + 1, SLACK = 64, KEPT = 24 };

// At most this much of a class is kept by a thread.
static const size_t keptBytes = 4u << 20;

typedef struct {
    uint8_t count[CLASSES];
    void *blocks[CLASSES][KEPT];
} Cache;

static __thread Cache *cache;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void drop(void *value) {
    Cache *old = value;
    cache = NULL;
    for (int class = 0; class < CLASSES; class++) {
        for (int i = 0; i < old->count[class]; i++) { free(old->blocks[class][i]); }
    }
    free(old);
}
static void make_key(void) { pthread_key_create(&key, drop); }

static void *allocate(size_t byteCount) {
    void *block = NULL;
    if (posix_memalign(&block, 64, byteCount) != 0) { abort(); }
    return block;
}

// The class of a size, or -1 if blocks of that size are not kept.
static inline int class_of(size_t byteCount) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    return -1;
#endif
#endif
    size_t body = byteCount > SLACK ? byteCount - SLACK : 1;
    if (body > (size_t)1 << MOST_BITS) { return -1; }
    int bits = body <= (size_t)1 << LEAST_BITS ? LEAST_BITS : 64 - __builtin_clzll(body - 1);
    return bits - LEAST_BITS;
}

void *ck_block_take(size_t byteCount) {
    int class = class_of(byteCount);
    if (class < 0) { return allocate(byteCount); }
    Cache *own = cache;
    if (own && own->count[class]) { return own->blocks[class][--own->count[class]]; }
    return allocate(((size_t)1 << (class + LEAST_BITS)) + SLACK);
}

void ck_block_give(void *block, size_t byteCount) {
    int class = class_of(byteCount);
    if (class < 0) {
        free(block);
        return;
    }
    Cache *own = cache;
    if (!own) {
        own = calloc(1, sizeof(Cache));
        if (!own) {
            free(block);
            return;
        }
        pthread_once(&once, make_key);
        pthread_setspecific(key, own);
        cache = own;
    }
    size_t limit = keptBytes >> (class + LEAST_BITS);
    if (limit > KEPT) { limit = KEPT; }
    if (own->count[class] < limit) {
        own->blocks[class][own->count[class]++] = block;
    } else {
        free(block);
    }
}

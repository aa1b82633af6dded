// Out-of-line parts of the C kernels.
#define _GNU_SOURCE
#include "ckernels.h"
#include <malloc.h>
#include <string.h>

void ck_keep_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 2000000000);
    mallopt(M_TOP_PAD, 16 << 20);
}

int64_t ck_find(const uint8_t *haystack, size_t haystackLength, const uint8_t *needle, size_t needleLength) {
    const uint8_t *found = memmem(haystack, haystackLength, needle, needleLength);
    return found ? (int64_t)(found - haystack) : -1;
}

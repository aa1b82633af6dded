// Intrinsics that Swift cannot express, as static inline functions, and declarations that Glibc's module hides.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "ck_crash.h"
#include "ck_csv.h"
#include "ck_memory.h"
#include "ck_text.h"
#include "ck_unpack.h"

/// Asks the processor to load the cache line at `address` for reading.
static inline __attribute__((always_inline)) void ck_prefetch(const void *_Nullable address) { __builtin_prefetch(address, 0, 3); }

/// Keeps large allocations in the allocator between queries: a returned page costs a fault when it is used again.
void ck_keep_memory(void);

/// Index of the first occurrence of `needle` in `haystack`, or -1.
int64_t ck_find(const uint8_t *_Nonnull haystack, size_t haystackLength, const uint8_t *_Nonnull needle, size_t needleLength);

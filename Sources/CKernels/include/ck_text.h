// Text search as static inline functions: Swift cannot express movemask.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

/// Index of the first occurrence of `needle` in `haystack`, or -1. Compares the first and the last byte of the needle at
/// 32 positions at once (Mula's generic SIMD search), the rest by memcmp. `needleLength` is at least 1. Reads no byte
/// outside the haystack.
static inline __attribute__((always_inline)) int64_t ck_search(
    const uint8_t *_Nonnull haystack, size_t haystackLength, const uint8_t *_Nonnull needle, size_t needleLength) {
    if (needleLength > haystackLength) return -1;
    const size_t last = haystackLength - needleLength;
    size_t at = 0;
#if defined(__AVX2__)
    const __m256i first = _mm256_set1_epi8((char)needle[0]);
    const __m256i final = _mm256_set1_epi8((char)needle[needleLength - 1]);
    for (; at + needleLength + 31 <= haystackLength; at += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(haystack + at));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(haystack + at + needleLength - 1));
        uint32_t mask = (uint32_t)_mm256_movemask_epi8(
            _mm256_and_si256(_mm256_cmpeq_epi8(a, first), _mm256_cmpeq_epi8(b, final)));
        while (mask) {
            const unsigned bit = (unsigned)__builtin_ctz(mask);
            if (needleLength <= 2 || memcmp(haystack + at + bit + 1, needle + 1, needleLength - 2) == 0)
                return (int64_t)(at + bit);
            mask &= mask - 1;
        }
    }
    const __m128i first16 = _mm_set1_epi8((char)needle[0]);
    const __m128i final16 = _mm_set1_epi8((char)needle[needleLength - 1]);
    for (; at + needleLength + 15 <= haystackLength; at += 16) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(haystack + at));
        const __m128i b = _mm_loadu_si128((const __m128i *)(haystack + at + needleLength - 1));
        uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, first16), _mm_cmpeq_epi8(b, final16)));
        while (mask) {
            const unsigned bit = (unsigned)__builtin_ctz(mask);
            if (needleLength <= 2 || memcmp(haystack + at + bit + 1, needle + 1, needleLength - 2) == 0)
                return (int64_t)(at + bit);
            mask &= mask - 1;
        }
    }
#endif
    const uint8_t firstByte = needle[0];
    const uint8_t finalByte = needle[needleLength - 1];
    for (; at <= last; at++) {
        if (haystack[at] == firstByte && haystack[at + needleLength - 1] == finalByte
            && (needleLength <= 2 || memcmp(haystack + at + 1, needle + 1, needleLength - 2) == 0))
            return (int64_t)at;
    }
    return -1;
}

/// Whether a byte is below `low`, or one of `a`, `b`, `c`, `d`.
static inline __attribute__((always_inline)) int ck_has_special(
    const uint8_t *_Nonnull bytes, size_t length, uint8_t low, uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    uint8_t found = 0;
    for (size_t at = 0; at < length; at++) {
        uint8_t byte = bytes[at];
        found |= (byte < low) | (byte == a) | (byte == b) | (byte == c) | (byte == d);
    }
    return found;
}

/// Whether every byte is below 0x80.
static inline __attribute__((always_inline)) int ck_is_ascii(const uint8_t *_Nonnull bytes, size_t length) {
    size_t at = 0;
    uint64_t all = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        all |= word;
    }
    for (; at < length; at++) all |= bytes[at];
    return (all & 0x8080808080808080ull) == 0;
}

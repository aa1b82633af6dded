// The structural scan of CSV text: 64 bytes at a time are turned into bitmaps of delimiters, quotes and newlines; the
// parity of quotes before each byte tells what lies inside of them.
#include "ck_csv.h"
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>

typedef struct {
    __m256i low, high;
} Block;

static inline Block load(const uint8_t *in) {
    Block block = {_mm256_loadu_si256((const __m256i *)in), _mm256_loadu_si256((const __m256i *)(in + 32))};
    return block;
}
static inline uint64_t equal(Block block, __m256i byte) {
    uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(block.low, byte));
    uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(block.high, byte));
    return (uint64_t)high << 32 | low;
}
static inline uint64_t above127(Block block) {
    return (uint64_t)_mm256_movemask_epi8(_mm256_or_si256(block.low, block.high));
}
typedef __m256i Byte;
static inline Byte spread(uint8_t byte) { return _mm256_set1_epi8((char)byte); }
#else
typedef struct {
    const uint8_t *bytes;
} Block;
typedef uint8_t Byte;
static inline Block load(const uint8_t *in) {
    Block block = {in};
    return block;
}
static inline uint64_t equal(Block block, Byte byte) {
    uint64_t result = 0;
    for (int i = 0; i < 64; i++) { result |= (uint64_t)(block.bytes[i] == byte) << i; }
    return result;
}
static inline uint64_t above127(Block block) {
    uint64_t result = 0;
    for (int i = 0; i < 64; i++) { result |= block.bytes[i] >> 7; }
    return result;
}
static inline Byte spread(uint8_t byte) { return byte; }
#endif

// Bit i of the result is the parity of bits 0…i.
static inline uint64_t parity(uint64_t x) {
    x ^= x << 1;
    x ^= x << 2;
    x ^= x << 4;
    x ^= x << 8;
    x ^= x << 16;
    x ^= x << 32;
    return x;
}

void ck_csv_index(const uint8_t *in, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t newline,
                  uint32_t *fields, uint32_t *rows, ck_csv_state *state) {
    const Byte delimiters = spread(delimiter), quoteBytes = spread(quote), newlines = spread(newline);
    size_t fieldCount = state->fieldCount, rowCount = state->rowCount;
    uint64_t quoted = state->quoted, allQuotes = state->quotes, high = state->high;
    for (size_t at = from; at < to; at += 64) {
        Block block = load(in + at);
        uint64_t live = to - at >= 64 ? ~0ull : (1ull << (to - at)) - 1;
        uint64_t ends = equal(block, newlines) & live;
        uint64_t marks = (equal(block, delimiters) & live) | ends;
        uint64_t quotes = quote ? equal(block, quoteBytes) & live : 0;
        // The last block may hold stray bytes behind the end: they may only cause a needless check.
        high |= above127(block);
        if (quotes | quoted) {
            uint64_t inside = parity(quotes) ^ quoted;
            quoted = (uint64_t)((int64_t)inside >> 63);
            allQuotes |= quotes;
            marks &= ~inside;
            ends &= ~inside;
        }
        while (ends) {
            uint64_t upTo = ends ^ (ends - 1);
            rows[rowCount++] = (uint32_t)(fieldCount + (size_t)__builtin_popcountll(marks & upTo));
            ends &= ends - 1;
        }
        size_t count = (size_t)__builtin_popcountll(marks);
        uint32_t *out = fields + fieldCount;
        for (size_t done = 0; done < count; done += 8) {
            for (int i = 0; i < 8; i++) {
                out[done + (size_t)i] = (uint32_t)at + (uint32_t)__builtin_ctzll(marks | 1ull << 63);
                marks &= marks - 1;
            }
        }
        fieldCount += count;
    }
    state->fieldCount = fieldCount;
    state->rowCount = rowCount;
    state->quoted = quoted;
    state->quotes = allQuotes;
    state->high = high;
}

void ck_csv_index_escaped(const uint8_t *in, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t escape,
                          uint8_t newline, uint32_t *fields, uint32_t *rows, ck_csv_state *state) {
    size_t fieldCount = state->fieldCount, rowCount = state->rowCount;
    uint64_t quoted = state->quoted;
    for (size_t at = from; at < to; at++) {
        uint8_t byte = in[at];
        state->high |= byte >> 7;
        if (quoted) {
            if (byte == escape && at + 1 < to) {
                at++;
            } else if (byte == quote) {
                quoted = 0;
            }
        } else if (byte == quote && quote) {
            quoted = ~0ull;
            state->quotes = 1;
        } else if (byte == delimiter || byte == newline) {
            fields[fieldCount++] = (uint32_t)at;
            if (byte == newline) { rows[rowCount++] = (uint32_t)fieldCount; }
        }
    }
    state->fieldCount = fieldCount;
    state->rowCount = rowCount;
    state->quoted = quoted;
}

size_t ck_count_byte(const uint8_t *in, size_t count, uint8_t byte) {
    size_t result = 0, at = 0;
#ifdef __AVX2__
    const __m256i wanted = _mm256_set1_epi8((char)byte);
    for (; at + 32 <= count; at += 32) {
        __m256i found = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(in + at)), wanted);
        result += (size_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(found));
    }
#endif
    for (; at < count; at++) { result += in[at] == byte; }
    return result;
}

int64_t ck_utf8_invalid(const uint8_t *in, size_t count) {
    size_t at = 0;
    while (at < count) {
        if (count - at >= 8) {
            uint64_t word;
            memcpy(&word, in + at, 8);
            if (!(word & 0x8080808080808080ull)) {
                at += 8;
                continue;
            }
        }
        uint8_t first = in[at];
        if (first < 0x80) {
            at++;
            continue;
        }
        size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        if (first < 0xC2 || first > 0xF4 || count - at < length) { return (int64_t)at; }
        // The second byte's range rules out overlong forms, surrogates and numbers beyond the last character.
        uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        uint8_t top = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (in[at + 1] < low || in[at + 1] > top) { return (int64_t)at; }
        for (size_t i = 2; i < length; i++) {
            if ((in[at + i] & 0xC0) != 0x80) { return (int64_t)at; }
        }
        at += length;
    }
    return -1;
}

// Bit-unpacking by byte shuffle and variable shift: each group of eight values is moved into eight 32-bit lanes, then
// shifted and masked lane by lane.
#include "ck_unpack.h"
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>

// Widths up to 25: a value and its shift lie within four bytes.
typedef struct {
    uint8_t shuffle[32];
    uint32_t shift[8];
    uint32_t mask;
    uint32_t high; // byte where the second half of the group begins
} Plan;
static Plan plans[26];

__attribute__((constructor)) static void make_plans(void) {
    for (int width = 1; width <= 25; width++) {
        Plan *plan = &plans[width];
        int high = 4 * width / 8;
        plan->high = (uint32_t)high;
        plan->mask = (uint32_t)((1ull << width) - 1);
        for (int lane = 0; lane < 8; lane++) {
            int bit = lane * width - (lane >= 4 ? high * 8 : 0);
            plan->shift[lane] = (uint32_t)(bit & 7);
            for (int byte = 0; byte < 4; byte++) {
                plan->shuffle[lane * 4 + byte] = (uint8_t)(bit / 8 + byte);
            }
        }
    }
}

static void unpack_narrow(const uint8_t *in, uint32_t *out, size_t groups, int width) {
    const Plan *plan = &plans[width];
    const __m256i shuffle = _mm256_loadu_si256((const __m256i *)plan->shuffle);
    const __m256i shift = _mm256_loadu_si256((const __m256i *)plan->shift);
    const __m256i mask = _mm256_set1_epi32((int)plan->mask);
    const size_t high = plan->high;
    for (size_t group = 0; group < groups; group++) {
        __m256i bytes = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)in)),
            _mm_loadu_si128((const __m128i *)(in + high)), 1);
        bytes = _mm256_shuffle_epi8(bytes, shuffle);
        bytes = _mm256_and_si256(_mm256_srlv_epi32(bytes, shift), mask);
        _mm256_storeu_si256((__m256i *)out, bytes);
        in += width;
        out += 8;
    }
}
#endif

static void unpack_any(const uint8_t *in, uint32_t *out, size_t groups, int width) {
    const uint64_t mask = width == 0 ? 0 : ~0ull >> (64 - width);
    for (size_t group = 0; group < groups; group++) {
        for (int lane = 0; lane < 8; lane++) {
            int bit = lane * width;
            uint64_t word;
            memcpy(&word, in + bit / 8, 8);
            out[lane] = (uint32_t)((word >> (bit & 7)) & mask);
        }
        in += width;
        out += 8;
    }
}

void ck_unpack32(const uint8_t *in, uint32_t *out, size_t groups, int width) {
#ifdef __AVX2__
    if (width >= 1 && width <= 25) {
        unpack_narrow(in, out, groups, width);
        return;
    }
#endif
    unpack_any(in, out, groups, width);
}

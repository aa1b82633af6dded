// The structural scan of CSV text: where fields and rows end.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// What a scan has found so far.
typedef struct {
    size_t fieldCount;
    size_t rowCount;
    /// All ones while the scan is inside quotes.
    uint64_t quoted;
    /// Not 0 if there was any quote.
    uint64_t quotes;
    /// Not 0 if there was any byte above 127.
    uint64_t high;
} ck_csv_state;

/// Finds the delimiters and newlines outside of quotes in bytes `from`…`to` - 1 of `in`. Appends their positions to
/// `fields`, and for every newline the number of fields so far to `rows`. `quote` 0 means none. Reads up to 64 bytes past
/// `to`; writes up to eight entries past the end of what it appends.
void ck_csv_index(const uint8_t *_Nonnull in, size_t from, size_t to, uint8_t delimiter, uint8_t quote, uint8_t newline,
                  uint32_t *_Nonnull fields, uint32_t *_Nonnull rows, ck_csv_state *_Nonnull state);

/// As above for files in which `escape` (not the quote) takes the meaning of the next byte inside quotes.
void ck_csv_index_escaped(const uint8_t *_Nonnull in, size_t from, size_t to, uint8_t delimiter, uint8_t quote,
                          uint8_t escape, uint8_t newline, uint32_t *_Nonnull fields, uint32_t *_Nonnull rows,
                          ck_csv_state *_Nonnull state);

/// Number of bytes equal to `byte`.
size_t ck_count_byte(const uint8_t *_Nonnull in, size_t count, uint8_t byte);

/// Index of the first byte that is not part of valid UTF-8, or -1.
int64_t ck_utf8_invalid(const uint8_t *_Nonnull in, size_t count);

// Unpacking of bit-packed integers (Parquet's layout: least significant bit first, eight values a group).
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Unpacks `groups` groups of eight `width`-bit values (width 0…32). May read 32 bytes past the last group.
void ck_unpack32(const uint8_t *_Nonnull in, uint32_t *_Nonnull out, size_t groups, int width);

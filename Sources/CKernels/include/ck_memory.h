// Memory for buffers: blocks that each thread keeps for its next buffers.
#pragma once
#include <stddef.h>

/// A block of at least `byteCount` bytes, aligned to 64; never NULL (the process ends when there is no memory).
void *_Nonnull ck_block_take(size_t byteCount);

/// Gives a block back, on any thread; `byteCount` is the one it was taken with.
void ck_block_give(void *_Nonnull block, size_t byteCount);

// Columnar: types, vectors, batches, hashing and sort keys; the only home of row-level inlinable API.

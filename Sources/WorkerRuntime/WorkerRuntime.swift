// WorkerRuntime: task attempts on a worker: drivers, exchange buffers, memory.

// MemoryStorage: tables held in the memory of the coordinator's process.

// EngineConfiguration: the registry of every configuration key (name, type, default, text) and the reader over file, environment and flags.

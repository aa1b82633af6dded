// EmbeddedCluster: a coordinator and any number of workers in one process.

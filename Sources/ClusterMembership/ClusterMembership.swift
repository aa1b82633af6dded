// ClusterMembership: membership and failure detection as state machines without I/O.

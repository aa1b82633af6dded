// Frontends: sessions, the query service they talk to, the shell, and the PostgreSQL protocol.

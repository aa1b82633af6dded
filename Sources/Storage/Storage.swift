// Storage: the storage interface: backends, tables, scans, splits, statistics, writers, and the catalogue.

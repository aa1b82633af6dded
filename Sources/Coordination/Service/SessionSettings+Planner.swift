// PostgreSQL's settings of its planner. They choose between plans of equal results, so taking them without effect is right.

extension SessionSettings {
    /// All that can be shown, PostgreSQL's planner included.
    static let allDefinitions = definitions + plannerDefinitions

    static let plannerDefinitions: [Definition] =
        [
            ("enable_async_append", "on"), ("enable_bitmapscan", "on"), ("enable_gathermerge", "on"),
            ("enable_hashagg", "on"),
            ("enable_hashjoin", "on"), ("enable_incremental_sort", "on"), ("enable_indexonlyscan", "on"),
            ("enable_indexscan", "on"), ("enable_material", "on"), ("enable_memoize", "on"),
            ("enable_mergejoin", "on"), ("enable_nestloop", "on"), ("enable_parallel_append", "on"),
            ("enable_parallel_hash", "on"), ("enable_partition_pruning", "on"),
            ("enable_partitionwise_aggregate", "off"), ("enable_partitionwise_join", "off"), ("enable_seqscan", "on"),
            ("enable_sort", "on"), ("enable_tidscan", "on"), ("constraint_exclusion", "partition"),
            ("cpu_index_tuple_cost", "0.005"), ("cpu_operator_cost", "0.0025"), ("cpu_tuple_cost", "0.01"),
            ("effective_cache_size", "4GB"), ("force_parallel_mode", "off"), ("from_collapse_limit", "8"),
            ("geqo", "on"), ("hash_mem_multiplier", "2"), ("join_collapse_limit", "8"),
            ("max_parallel_workers", "8"), ("max_parallel_workers_per_gather", "2"),
            ("min_parallel_index_scan_size", "512kB"), ("min_parallel_table_scan_size", "8MB"),
            ("parallel_leader_participation", "on"), ("parallel_setup_cost", "1000"), ("parallel_tuple_cost", "0.1"),
            ("plan_cache_mode", "auto"), ("random_page_cost", "4"), ("seq_page_cost", "1"),
        ].map { Definition(name: $0.0, defaultValue: $0.1, text: "Accepted, without effect.") }
}

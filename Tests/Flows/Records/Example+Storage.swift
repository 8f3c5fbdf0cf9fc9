import Records

extension Example {
    /// Views of Records/Storage.
    static let storage: [Example] = [
        Example(
            "partition", "Partition",
            PartitionView(Given.partition),
            #"""
            {"stream":"measurements.0","incarnation":2,"owner":"ingester-1","epoch":3,"lease_left_s":-1.5,\#
            "committed_offset":1234567,"committed_at":"2026-11-21T09:30:00.000000001Z","committed_age_s":0.02,\#
            "messages_per_s":499.5,"lag":100}
            """#),
        Example(
            "bare partition", "Partition",
            PartitionView(Given.barePartition),
            #"""
            {"stream":"measurements.1","incarnation":1,"owner":null,"epoch":0,"lease_left_s":null,\#
            "committed_offset":null,"committed_at":null,"committed_age_s":null,"messages_per_s":null,"lag":null}
            """#),
        Example(
            "policy", "Policy",
            PolicyView(Given.policy),
            #"""
            {"tier":"measurement_1m","keep_s":86400,"columnstore_after_s":3600,"source":"iotctl",\#
            "oldest":"2026-11-21T09:30:00.000000001Z",\#
            "drop_at":"2026-11-21T09:31:00.500000000Z","overdue_s":1.5}
            """#),
        Example(
            "bare policy", "Policy",
            PolicyView(Given.barePolicy),
            #"""
            {"tier":"measurement","keep_s":null,"columnstore_after_s":null,"source":"default","oldest":null,\#
            "drop_at":null,"overdue_s":0}
            """#),
        Example(
            "storage report", "Storage report",
            StorageReportView(Given.report, words: "It grows."),
            #"""
            {"at":"2026-11-21T09:31:00.500000000Z","bytes":12000,"disk_bytes":100000,"disk_free_bytes":50000,\#
            "bytes_per_day":1000.5,"days_left":49,"seen_hours":26.5,"compression_ratio":3,\#
            "last_backup":{"started_at":"2026-11-21T09:30:00.000000001Z",\#
            "finished_at":"2026-11-21T09:31:00.500000000Z","kind":"base","bytes":null,"place":"/backup"},\#
            "tables":[{"table":"measurement","rows":1000,"bytes":9007199254740993,"toast_bytes":1,"index_bytes":2,\#
            "chunks":3,"compressed_chunks":1,"before_compression_bytes":300,"after_compression_bytes":100,\#
            "oldest":"2026-11-21T09:30:00.000000001Z","bytes_per_day":1000000000000000.0,"dead_ratio":0.25,\#
            "index_scans":7},{"table":"sensor","rows":0,"bytes":0,"toast_bytes":0,"index_bytes":0,"chunks":null,\#
            "compressed_chunks":null,"before_compression_bytes":null,"after_compression_bytes":null,"oldest":null,\#
            "bytes_per_day":null,"dead_ratio":null,"index_scans":0}],"policies":[{"tier":"measurement_1m",\#
            "keep_s":86400,"columnstore_after_s":3600,"source":"iotctl","oldest":"2026-11-21T09:30:00.000000001Z",\#
            "drop_at":"2026-11-21T09:31:00.500000000Z","overdue_s":1.5}],"unused_indexes":[{"name":"i","bytes":8192}],"words":"It grows."}
            """#),
        Example(
            "bare storage report", "Storage report",
            StorageReportView(Given.bareReport, words: ""),
            #"""
            {"at":"2026-11-21T09:31:00.500000000Z","bytes":0,"disk_bytes":null,"disk_free_bytes":null,\#
            "bytes_per_day":null,"days_left":null,"seen_hours":0,"compression_ratio":null,"last_backup":null,\#
            "tables":[],"policies":[],"unused_indexes":[],"words":""}
            """#),
    ]
}

-- The COMMENT of tables and columns whose step is released and cannot change any more. A new table has its COMMENT in its
-- step; one that is to be reworded moves here.

COMMENT ON TABLE setting IS 'Settings of the whole installation, one row each.';
COMMENT ON COLUMN target.name IS 'Its name, which the operator chooses.';
COMMENT ON COLUMN target.description IS 'A description for operators.';

COMMENT ON TABLE sensor IS 'Sensors with their twins: the properties that the operator sets and those that the sensor reports.';
COMMENT ON COLUMN sensor.sensor_id IS 'Its number, by which other tables refer to it.';
COMMENT ON COLUMN sensor.target_id IS 'The machine that carries it.';
COMMENT ON COLUMN sensor.firmware IS 'Version of its firmware, as announced.';
COMMENT ON COLUMN sensor.tags IS 'Labels that the operator sets: {"hall": "3"}.';
COMMENT ON COLUMN sensor.desired IS 'Properties that the operator sets: {"limits": {"x": {"high": 5, "hysteresis": 0.5}}, …}.';
COMMENT ON COLUMN sensor.reported IS 'Properties that the sensor reports: {"rate_hz": 1000, "location": {"name": "Hall 3"}}.';
COMMENT ON COLUMN sensor.state IS 'awake: it takes samples; asleep: it takes none; stopped: it closed its connection gracefully; unknown: it never announced itself.';
COMMENT ON COLUMN sensor.presence IS 'By its announcements, answers, data and Last Will. unknown: no message ever arrived; online; lost: its connection broke less than two keep-alives ago; offline.';
COMMENT ON COLUMN sensor.boot_id IS 'Boot of its newest announcement.';
COMMENT ON COLUMN sensor.connection IS 'Number of its connection within that boot; the Last Will of an older one is ignored.';
COMMENT ON COLUMN sensor.next_sequence IS 'Frames that the sensor produced in that boot, as announced; if fewer are stored, the newest ones are missing.';
COMMENT ON COLUMN sensor.first_seen IS 'The time at which it became known to the system.';
COMMENT ON COLUMN sensor.last_seen IS 'Arrival of its newest announcement or answer.';
COMMENT ON COLUMN sensor.lost_at IS 'Arrival of its Last Will; null if a message arrived later.';
COMMENT ON COLUMN sensor.delta_version IS 'The version of desired that the registry sent to it last.';
COMMENT ON COLUMN channel.channel IS 'Its number in frames; the fields of JSON devices are numbered in the order in which they first arrive.';

COMMENT ON TABLE measurement IS 'The samples of one channel in one frame, or in one UTC minute of it. Sample k was taken at time + k / sample_rate_hz. There is no unique index: the ledger of measurements-ingester makes sure that each frame is stored once.';
COMMENT ON COLUMN measurement."time" IS 'When the first sample was taken, rounded down to the microsecond: the device''s time if it was accepted, otherwise the time of arrival.';
COMMENT ON COLUMN measurement.time_ns IS 'The 0-999 nanoseconds that time omits.';
COMMENT ON COLUMN measurement.received_at IS 'Arrival of the frame, by the broker''s clock.';
COMMENT ON COLUMN measurement.boot_id IS 'Boot of the sensor; null for devices that do not number their frames.';
COMMENT ON COLUMN measurement.sequence IS 'Number of the frame in its boot; null for devices that do not number their frames.';
COMMENT ON COLUMN measurement.device_time_ns IS 'The device''s time in Unix nanoseconds, if it was not accepted (clock is not 0).';
COMMENT ON COLUMN measurement.clock IS '0: the device''s time was accepted; otherwise time is the time of arrival, because the device''s time was 1: in the future, 2: too old, 3: missing.';
COMMENT ON COLUMN measurement.sample_rate_hz IS 'Samples per second; 0 for a single value without a rate.';
COMMENT ON COLUMN measurement.mean IS 'Mean of the finite samples; if samples and counts are null, the only value itself in full precision.';
COMMENT ON COLUMN measurement.finite IS 'Number of finite samples, of which min, max, mean and rms are the statistics; null: all n are finite.';
COMMENT ON COLUMN measurement.samples IS 'The samples, if the frame has them as floats.';
COMMENT ON COLUMN measurement.counts IS 'The samples, if the frame has them as counts of a 16-bit converter.';

COMMENT ON TABLE location IS 'Geographic positions of sensors, a row for each change.';
COMMENT ON COLUMN location."time" IS 'The time since which the sensor was there.';
COMMENT ON TABLE place IS 'The newest geographic position of each sensor: its newest row of location.';
COMMENT ON COLUMN place."time" IS 'The time since which the sensor has been there.';
COMMENT ON COLUMN latest.clock IS 'As in measurement.';
COMMENT ON COLUMN latest.clock_offset_s IS 'Seconds from the frame''s arrival to the device''s time of its last sample: the error of its clock minus the delay of the message.';

COMMENT ON TABLE ingest_partition IS 'Partitions: for each stream the position up to which it is stored, and the replica that stores it.';
COMMENT ON COLUMN ingest_partition.incarnation IS 'Increases when the stream was recreated, so that its offsets start again.';
COMMENT ON COLUMN ingest_partition.lease_until IS 'End of the lease, by the database''s clock.';
COMMENT ON COLUMN ingest_partition.reached IS 'Arrival of the newest stored message, by the broker''s clock; null while an older release stores the stream, which does not record it.';
COMMENT ON COLUMN ingest_partition.committed_at IS 'The time of the last commit.';

COMMENT ON TABLE sensor_boot IS 'The ledger: which frames of each boot of each sensor are stored. Changed only in the transaction that stores the frames.';
COMMENT ON COLUMN sensor_boot.boot_id IS 'The boot.';
COMMENT ON COLUMN sensor_boot.duplicates IS 'Repeated frames, which were not stored again.';
COMMENT ON COLUMN sensor_boot.given_up IS 'Frames that were not stored because they lie in a joined gap, for which the ledger cannot tell whether they are stored.';
COMMENT ON COLUMN sensor_boot.first_incarnation IS 'Incarnation of that stream at its first frame.';
COMMENT ON COLUMN sensor_boot.last_incarnation IS 'Incarnation of that stream at its last frame.';
COMMENT ON COLUMN sensor_boot.last_at IS 'When its last frame was stored, or recognized as a repeat.';
COMMENT ON COLUMN sequence_gap.boot_id IS 'The boot.';
COMMENT ON COLUMN sequence_gap.cause IS 'late: not known yet, the frames may still arrive; broker_retention: the stream''s limits dropped them; stream_reset: they were lost with the stream; quarantined: they arrived, but could not be stored; dropped_at_source: the sensor dropped them and announced it; sensor_restarted: the sensor restarted before it sent them.';
COMMENT ON COLUMN sequence_gap.noted_at IS 'When the gap was detected.';

COMMENT ON TABLE stream_hole IS 'Gaps of streams: messages that were dropped before they were stored, or that the broker cannot deliver.';
COMMENT ON COLUMN stream_hole.incarnation IS 'Incarnation of the stream before the gap.';
COMMENT ON COLUMN stream_hole.last_offset IS 'Last message that was not stored; null if it is unknown.';
COMMENT ON COLUMN stream_hole.cause IS 'broker_retention: the stream''s limits dropped the messages; stream_reset: the stream was recreated; undeliverable: the broker holds the message, but cannot deliver it.';
COMMENT ON COLUMN stream_hole.noted_at IS 'When the gap was detected.';

COMMENT ON TABLE quarantine IS 'Payloads that could not be stored, with the reason. iotctl quarantine lists, replays and drops them.';
COMMENT ON COLUMN quarantine.at IS 'When it was quarantined.';
COMMENT ON COLUMN quarantine.detail IS 'The error in a sentence.';
COMMENT ON COLUMN quarantine.source IS 'Queue or stream from which the message was read.';
COMMENT ON COLUMN quarantine.received_at IS 'Arrival of the message, by the broker''s clock.';
COMMENT ON COLUMN quarantine.boot_id IS 'Boot of the sensor by the frame''s header; null if the header cannot be read. Only a hint, because the header may be damaged.';
COMMENT ON COLUMN quarantine.sequence IS 'Number of the frame in its boot by the frame''s header; null if the header cannot be read.';

COMMENT ON TABLE command IS 'Commands and their states.';
COMMENT ON COLUMN command.serial IS 'Serial number of the sensor.';
COMMENT ON COLUMN command.name IS 'sleep | awake | change_sample_frequency | …; empty as long as only an answer has arrived.';
COMMENT ON COLUMN command.issuer IS 'The user or program that issued it.';
COMMENT ON COLUMN command.issued_at IS 'When it was issued.';
COMMENT ON COLUMN command.expires_at IS 'The sensor does not run it after this time.';
COMMENT ON COLUMN command.sent_at IS 'When the registry sent it last; null: only its issuer sent it.';
COMMENT ON COLUMN command.send_at IS 'When the registry will send it again; null: never.';
COMMENT ON COLUMN command.delivered_at IS 'When the sensor confirmed that it had received the command.';
COMMENT ON COLUMN command.finished_at IS 'When the sensor reported the outcome.';

COMMENT ON TABLE alarm IS 'Alarms, each from its trigger to its clear.';
COMMENT ON COLUMN alarm.raised_at IS 'Time of the samples that raised it; null as long as only the clear has arrived.';
COMMENT ON COLUMN alarm.cleared_at IS 'Time of the samples that cleared it; null while it is active.';
COMMENT ON COLUMN alarm.text IS 'A sentence for the operator.';
COMMENT ON TABLE alarm_state IS 'The state of each channel with regard to its limits. Evaluators keep it for releases without rules, and read it after one of them had the partition.';
COMMENT ON COLUMN alarm_state.alarm_id IS 'The active alarm; null: within limits.';
COMMENT ON COLUMN alarm_state.as_of_ns IS 'Trusted time of the row that caused this state, Unix nanoseconds.';

COMMENT ON COLUMN sensor_log."time" IS 'When it was written: the sensor''s time if it was accepted, otherwise the time of arrival.';
COMMENT ON COLUMN sensor_log.received_at IS 'Arrival of the line, by the broker''s clock.';
COMMENT ON COLUMN sensor_log.boot_id IS 'Boot of the sensor.';
COMMENT ON COLUMN sensor_log.text IS 'The message.';
COMMENT ON TABLE boot_announcement IS 'The newest announcement of each boot; its counts never decrease.';
COMMENT ON COLUMN boot_announcement.boot_id IS 'The boot.';
COMMENT ON COLUMN boot_announcement.next_sequence IS 'Frames that the sensor had produced; if fewer are stored, frames are missing.';
COMMENT ON COLUMN boot_announcement.frames_dropped IS 'Frames that the sensor had dropped before it could send them.';
COMMENT ON COLUMN boot_announcement.state IS 'The sensor''s state: awake | asleep | stopped.';
COMMENT ON COLUMN boot_announcement.first_at IS 'Arrival of its first announcement, by the broker''s clock.';
COMMENT ON COLUMN boot_announcement.announced_at IS 'Arrival of its newest announcement, by the broker''s clock.';
COMMENT ON COLUMN boot_announcement.earlier_next_sequence IS 'next_sequence of an earlier announcement, whose frames have had time to arrive.';
COMMENT ON COLUMN boot_announcement.earlier_at IS 'Arrival of that announcement, by the broker''s clock.';

COMMENT ON TABLE measurement_1m IS 'Statistics of each channel''s samples by UTC minute. Written two minutes after the minute''s end, and again when late samples arrive.';
COMMENT ON COLUMN measurement_1m.finite IS 'Finite samples, of which min, max, mean and rms are the statistics.';
COMMENT ON TABLE measurement_1h IS 'Statistics of each channel''s samples by hour of setting site.timezone, written after the hour''s end.';
COMMENT ON COLUMN measurement_1h.finite IS 'Finite samples, of which min, max, mean and rms are the statistics.';
COMMENT ON TABLE measurement_1d IS 'Statistics of each channel''s samples by day of setting site.timezone, written after the day''s end.';
COMMENT ON COLUMN measurement_1d.finite IS 'Finite samples, of which min, max, mean and rms are the statistics.';
COMMENT ON TABLE rollup_late IS 'Statistics of late rows, whose minute may have been rolled up already. Written in the transaction that stores the rows; added to the rollups and deleted in one transaction, so that each row counts once.';
COMMENT ON COLUMN rollup_late."time" IS 'The row''s time.';
COMMENT ON TABLE rollup_state IS 'Progress of the rollups; one row.';
COMMENT ON COLUMN rollup_state.is_one IS 'Always true: the key of the only row.';
COMMENT ON COLUMN rollup_state.closed_to IS 'Rows from before this time are late: the transaction that stores one also adds it to rollup_late.';
COMMENT ON COLUMN rollup_state.looked_at IS 'When the registry last checked whether minutes can be closed.';
COMMENT ON COLUMN rollup_state.held_until IS 'No minute is closed before this time: a program had stopped, and the data that wait for it would all be late.';

COMMENT ON TABLE policy IS 'Retention and compression of each tier of data.';
COMMENT ON COLUMN policy.keep IS 'How long data are kept; null: indefinitely.';
COMMENT ON COLUMN policy.source IS 'Origin of these values: default; configuration: that of sensor-registry; iotctl.';
COMMENT ON COLUMN policy.gone_before IS 'Older data may have been dropped: charts do not read them, and late rows are not added to them.';

COMMENT ON TABLE ingest_history IS 'Progress of each stream and the replica that stored it, recorded every 10 seconds.';
COMMENT ON COLUMN ingest_history.at IS 'The time of the record.';
COMMENT ON COLUMN ingest_history.reached IS 'Arrival of that message, by the broker''s clock.';
COMMENT ON TABLE storage_history IS 'Sizes of the tables and of the database, recorded hourly.';
COMMENT ON COLUMN storage_history.at IS 'The time of the record.';
COMMENT ON COLUMN storage_history.tier IS 'A table, as in policy, or another that is large; (database): all tables together.';
COMMENT ON COLUMN storage_history.rows_estimate IS 'Number of rows, estimated by the server.';
COMMENT ON COLUMN storage_history.toast_bytes IS 'Bytes of long values, which PostgreSQL stores beside the rows (TOAST).';
COMMENT ON COLUMN storage_history.total_bytes IS 'Bytes in total.';
COMMENT ON COLUMN storage_history.compressed_chunks IS 'Compressed chunks.';
COMMENT ON COLUMN storage_history.before_compression_bytes IS 'Bytes of the compressed chunks before their compression.';
COMMENT ON COLUMN storage_history.after_compression_bytes IS 'Bytes of the compressed chunks after their compression.';
COMMENT ON COLUMN storage_history.oldest IS 'Start of the oldest chunk, or time of the oldest row.';
COMMENT ON COLUMN storage_history.disk_bytes IS 'Size of the volume; null if it is unknown.';
COMMENT ON COLUMN storage_history.disk_free_bytes IS 'Free bytes of the volume; null if they are unknown.';
COMMENT ON TABLE query_total IS 'Counters of pg_stat_statements and pg_stat_kcache at the newest record of query_history.';
COMMENT ON TABLE query_history IS 'Cost of the hundred queries with the longest total time, recorded hourly; each row counts from the query''s record before it.';
COMMENT ON COLUMN query_history.at IS 'The time of the record.';
COMMENT ON COLUMN query_history.seconds IS 'Seconds since the query''s record before this one; null if they are unknown.';
COMMENT ON COLUMN query_history.calls IS 'Number of calls.';
COMMENT ON COLUMN query_history.exec_ms IS 'Total milliseconds of execution.';
COMMENT ON COLUMN query_history.rows IS 'Rows that it returned or changed.';
COMMENT ON COLUMN query_history.blocks_read IS 'Blocks of 8 kB not found in the server''s memory.';

COMMENT ON TABLE backup IS 'Backups.';
COMMENT ON COLUMN backup.started_at IS 'When it began; it holds everything that was committed before.';
COMMENT ON COLUMN backup.finished_at IS 'When it was complete.';
COMMENT ON COLUMN backup.place IS 'The file or folder of the backup.';

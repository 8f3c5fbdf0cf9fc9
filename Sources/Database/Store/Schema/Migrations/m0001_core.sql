-- The whole schema of the first release: design §3.

CREATE TABLE setting (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);
COMMENT ON TABLE setting IS 'What holds for the whole installation, one row a setting.';
COMMENT ON COLUMN setting.name IS 'partitions | site.timezone | …';
COMMENT ON COLUMN setting.value IS 'The value, as JSON.';
INSERT INTO setting VALUES ('site.timezone', '"UTC"');

-- Devices ---------------------------------------------------------------------------------------------------------

CREATE TABLE target (
    target_id   int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    description text NOT NULL DEFAULT ''
);
COMMENT ON TABLE target IS 'A machine that carries sensors.';
COMMENT ON COLUMN target.target_id IS 'Its number.';
COMMENT ON COLUMN target.name IS 'What people call it.';
COMMENT ON COLUMN target.description IS 'Anything else about it.';

CREATE TABLE sensor (
    sensor_id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial             text NOT NULL UNIQUE CHECK (serial ~ '^[A-Za-z0-9_-]{1,64}$'),
    target_id          int REFERENCES target ON DELETE SET NULL,
    kind               text NOT NULL DEFAULT '',
    firmware           text NOT NULL DEFAULT '',
    tags               jsonb NOT NULL DEFAULT '{}',
    desired            jsonb NOT NULL DEFAULT '{}',
    desired_version    bigint NOT NULL DEFAULT 0,
    desired_changed_at timestamptz,
    reported           jsonb NOT NULL DEFAULT '{}',
    reported_version   bigint NOT NULL DEFAULT 0,
    state              text NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'awake', 'asleep', 'stopped')),
    presence           text NOT NULL DEFAULT 'unknown' CHECK (presence IN ('unknown', 'online', 'offline')),
    boot_id            bigint,
    connection         bigint,
    next_sequence      bigint,
    frames_dropped     bigint,
    first_seen         timestamptz NOT NULL DEFAULT now(),
    last_seen          timestamptz
) WITH (fillfactor = 70);
COMMENT ON TABLE sensor IS 'A device: its twin. What it announces, what is wanted of it.';
COMMENT ON COLUMN sensor.sensor_id IS 'Its number, what other tables refer to.';
COMMENT ON COLUMN sensor.serial IS 'Its serial number, as in its routing keys sensor_<serial>.…';
COMMENT ON COLUMN sensor.target_id IS 'The machine it sits on.';
COMMENT ON COLUMN sensor.kind IS 'vibration | climate | …, as announced.';
COMMENT ON COLUMN sensor.firmware IS 'Version of what runs on it, as announced.';
COMMENT ON COLUMN sensor.tags IS 'Labels given by people, {"hall": "3"}.';
COMMENT ON COLUMN sensor.desired IS 'Properties that people want: {"limits": {"x": {"high": 5, "hysteresis": 0.5}}, …}.';
COMMENT ON COLUMN sensor.desired_version IS 'Grows by one with each change of desired.';
COMMENT ON COLUMN sensor.desired_changed_at IS 'When desired changed last.';
COMMENT ON COLUMN sensor.reported IS 'Properties that the sensor says it has: {"rate_hz": 1000}.';
COMMENT ON COLUMN sensor.reported_version IS 'Grows by one with each change of reported.';
COMMENT ON COLUMN sensor.state IS 'awake: samples; asleep: does not; stopped: said good-bye.';
COMMENT ON COLUMN sensor.presence IS 'online | offline, from announcements, answers and the Last Will.';
COMMENT ON COLUMN sensor.boot_id IS 'Start of the sensor that its newest announcement belongs to.';
COMMENT ON COLUMN sensor.connection IS 'Connection of that boot; an older Last Will is ignored.';
COMMENT ON COLUMN sensor.next_sequence IS 'Frames that the sensor made in that boot, as announced: more than arrived means loss at the tail.';
COMMENT ON COLUMN sensor.frames_dropped IS 'Frames that the sensor dropped in that boot, as announced.';
COMMENT ON COLUMN sensor.first_seen IS 'When it was first heard of.';
COMMENT ON COLUMN sensor.last_seen IS 'When its newest announcement, answer or Last Will came.';
CREATE INDEX sensor_desired_changed_at ON sensor (desired_changed_at) WHERE desired_changed_at IS NOT NULL;

CREATE TABLE channel (
    sensor_id int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    channel   smallint NOT NULL,
    name      text NOT NULL,
    quantity  text NOT NULL DEFAULT '',
    unit      text NOT NULL DEFAULT '',
    PRIMARY KEY (sensor_id, channel),
    UNIQUE (sensor_id, name)
);
COMMENT ON TABLE channel IS 'One measured quantity of a sensor.';
COMMENT ON COLUMN channel.sensor_id IS 'The sensor.';
COMMENT ON COLUMN channel.channel IS 'Its number in frames; JSON fields are numbered in order of first sight.';
COMMENT ON COLUMN channel.name IS 'x | temperature | …';
COMMENT ON COLUMN channel.quantity IS 'acceleration | temperature | …';
COMMENT ON COLUMN channel.unit IS 'm/s² | °C | …';

-- Samples ---------------------------------------------------------------------------------------------------------

CREATE TABLE measurement (
    "time"         timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    boot_id        bigint,
    sequence       bigint,
    device_time_ns bigint,
    sample_rate_hz double precision NOT NULL,
    min            double precision,
    max            double precision,
    mean           double precision,
    rms            double precision,
    count_scale    double precision,
    count_offset   double precision,
    sensor_id      int NOT NULL,
    n              int NOT NULL,
    time_ns        smallint NOT NULL,
    channel        smallint NOT NULL,
    clock          smallint NOT NULL,
    samples        real[],
    counts         smallint[]
);
COMMENT ON TABLE measurement IS 'The samples of one channel in one frame (or in one UTC minute of it). Sample k was taken at time + k / sample_rate_hz. No unique index: exactly once is the work of the ingester''s ledger.';
COMMENT ON COLUMN measurement."time" IS 'When the first sample was taken, cut to the microsecond: the device''s time where it can be trusted, otherwise the time of arrival.';
COMMENT ON COLUMN measurement.received_at IS 'The broker''s own stamp of the frame''s arrival.';
COMMENT ON COLUMN measurement.boot_id IS 'Start of the sensor that the frame belongs to; null for devices that don''t number.';
COMMENT ON COLUMN measurement.sequence IS 'Number of the frame in its boot; null for devices that don''t number.';
COMMENT ON COLUMN measurement.device_time_ns IS 'What the device said, Unix nanoseconds, where clock is not 0.';
COMMENT ON COLUMN measurement.sample_rate_hz IS 'Samples a second; 0 where a single value came without a rate.';
COMMENT ON COLUMN measurement.min IS 'Smallest finite sample.';
COMMENT ON COLUMN measurement.max IS 'Largest finite sample.';
COMMENT ON COLUMN measurement.mean IS 'Mean of the finite samples; where samples and counts are null the one value itself, in full precision.';
COMMENT ON COLUMN measurement.rms IS 'Root mean square of the finite samples.';
COMMENT ON COLUMN measurement.count_scale IS 'sample = count_offset + count_scale * count.';
COMMENT ON COLUMN measurement.count_offset IS 'sample = count_offset + count_scale * count.';
COMMENT ON COLUMN measurement.sensor_id IS 'The sensor (no foreign key: it would make inserts several times slower).';
COMMENT ON COLUMN measurement.n IS 'Samples in this row.';
COMMENT ON COLUMN measurement.time_ns IS 'Nanoseconds, 0-999, that time leaves out.';
COMMENT ON COLUMN measurement.channel IS 'The channel.';
COMMENT ON COLUMN measurement.clock IS '0 device time taken; otherwise time of arrival taken because the device''s was 1 in the future, 2 too old, 3 missing.';
COMMENT ON COLUMN measurement.samples IS 'The samples, if they came as floats.';
COMMENT ON COLUMN measurement.counts IS 'The samples, if they came as counts of a 16-bit converter.';
ALTER TABLE measurement ALTER samples SET STORAGE EXTERNAL, ALTER counts SET STORAGE EXTERNAL;
SELECT create_hypertable('measurement', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
CREATE INDEX measurement_by_sensor ON measurement (sensor_id, channel, "time");

CREATE TABLE location (
    "time"    timestamptz NOT NULL,
    sensor_id int NOT NULL,
    latitude  double precision NOT NULL,
    longitude double precision NOT NULL,
    altitude  double precision NOT NULL
);
COMMENT ON TABLE location IS 'Where a sensor was; a row whenever its place changes.';
COMMENT ON COLUMN location."time" IS 'From when on it was there.';
COMMENT ON COLUMN location.sensor_id IS 'The sensor.';
COMMENT ON COLUMN location.latitude IS 'Degrees, WGS 84.';
COMMENT ON COLUMN location.longitude IS 'Degrees, WGS 84.';
COMMENT ON COLUMN location.altitude IS 'Metres above mean sea level.';
SELECT create_hypertable('location', by_range('time', INTERVAL '7 days'), create_default_indexes => false);
CREATE INDEX location_by_sensor ON location (sensor_id, "time");

CREATE TABLE latest (
    "time"         timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    value          double precision NOT NULL,
    min            double precision,
    max            double precision,
    rms            double precision,
    sample_rate_hz double precision NOT NULL,
    sensor_id      int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    channel        smallint NOT NULL,
    PRIMARY KEY (sensor_id, channel)
) WITH (fillfactor = 50);
COMMENT ON TABLE latest IS 'The newest value of each channel by trusted time, written at most once a second and channel.';
COMMENT ON COLUMN latest."time" IS 'When the value was taken.';
COMMENT ON COLUMN latest.received_at IS 'When its frame arrived at the broker.';
COMMENT ON COLUMN latest.value IS 'The last sample of the newest row.';
COMMENT ON COLUMN latest.min IS 'Smallest sample of that row.';
COMMENT ON COLUMN latest.max IS 'Largest sample of that row.';
COMMENT ON COLUMN latest.rms IS 'Root mean square of that row.';
COMMENT ON COLUMN latest.sample_rate_hz IS 'Rate of that row.';
COMMENT ON COLUMN latest.sensor_id IS 'The sensor.';
COMMENT ON COLUMN latest.channel IS 'The channel.';

-- The way from stream to table --------------------------------------------------------------------------------------

CREATE TABLE ingest_partition (
    stream           text PRIMARY KEY,
    incarnation      int NOT NULL DEFAULT 1,
    committed_offset bigint,
    fingerprint      bigint,
    owner            text,
    epoch            bigint NOT NULL DEFAULT 0,
    lease_until      timestamptz,
    backend_pid      int,
    committed_at     timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE ingest_partition IS 'A stream: how far it is stored, and who stores it.';
COMMENT ON COLUMN ingest_partition.stream IS 'The stream''s name at the broker.';
COMMENT ON COLUMN ingest_partition.incarnation IS 'Grows when the stream was made anew and its offsets began again.';
COMMENT ON COLUMN ingest_partition.committed_offset IS 'Offset of the last message that is stored; null before the first.';
COMMENT ON COLUMN ingest_partition.fingerprint IS 'FNV-1a (64 bits) of that message''s key and payload.';
COMMENT ON COLUMN ingest_partition.owner IS 'Replica that holds the lease.';
COMMENT ON COLUMN ingest_partition.epoch IS 'Grows with each change of owner; a commit under an older one fails.';
COMMENT ON COLUMN ingest_partition.lease_until IS 'Until when, by the database''s clock.';
COMMENT ON COLUMN ingest_partition.backend_pid IS 'Server process of the owner''s connection, which a new owner may end.';
COMMENT ON COLUMN ingest_partition.committed_at IS 'When the last commit was.';

CREATE TABLE ingest_replica (
    replica text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
COMMENT ON TABLE ingest_replica IS 'Measurements-ingesters that are alive.';
COMMENT ON COLUMN ingest_replica.replica IS 'Name of the replica.';
COMMENT ON COLUMN ingest_replica.seen_at IS 'Its last heartbeat, by the database''s clock.';

CREATE TABLE sensor_boot (
    sensor_id     int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    boot_id       bigint NOT NULL,
    next_sequence bigint NOT NULL,
    frames        bigint NOT NULL DEFAULT 0,
    duplicates    bigint NOT NULL DEFAULT 0,
    version       bigint NOT NULL DEFAULT 0,
    first_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor_id, boot_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE sensor_boot IS 'The ledger: how far each start of each sensor is stored. Changed only in the transaction that stores its frames.';
COMMENT ON COLUMN sensor_boot.sensor_id IS 'The sensor.';
COMMENT ON COLUMN sensor_boot.boot_id IS 'The start.';
COMMENT ON COLUMN sensor_boot.next_sequence IS 'One above the highest sequence seen.';
COMMENT ON COLUMN sensor_boot.frames IS 'Frames stored.';
COMMENT ON COLUMN sensor_boot.duplicates IS 'Frames that came again and were not stored again.';
COMMENT ON COLUMN sensor_boot.version IS 'Grows with each change: a writer that read an older one is refused.';
COMMENT ON COLUMN sensor_boot.first_at IS 'When its first frame was stored.';

CREATE TABLE sequence_gap (
    sensor_id      int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    boot_id        bigint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence  bigint NOT NULL CHECK (last_sequence >= first_sequence),
    cause          text NOT NULL DEFAULT 'late',
    noted_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sensor_id, boot_id, first_sequence)
);
COMMENT ON TABLE sequence_gap IS 'The loss ledger: frames below sensor_boot.next_sequence that are not stored.';
COMMENT ON COLUMN sequence_gap.sensor_id IS 'The sensor.';
COMMENT ON COLUMN sequence_gap.boot_id IS 'The start.';
COMMENT ON COLUMN sequence_gap.first_sequence IS 'First missing frame.';
COMMENT ON COLUMN sequence_gap.last_sequence IS 'Last missing frame.';
COMMENT ON COLUMN sequence_gap.cause IS 'late: may still come.';
COMMENT ON COLUMN sequence_gap.noted_at IS 'When the hole was noticed.';

CREATE TABLE stream_hole (
    hole_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream       text NOT NULL,
    incarnation  int NOT NULL,
    first_offset bigint NOT NULL,
    last_offset  bigint,
    cause        text NOT NULL CHECK (cause IN ('broker_retention', 'stream_reset')),
    noted_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stream_hole IS 'Messages of a stream that were gone before they were stored.';
COMMENT ON COLUMN stream_hole.hole_id IS 'Its number.';
COMMENT ON COLUMN stream_hole.stream IS 'The stream.';
COMMENT ON COLUMN stream_hole.incarnation IS 'Its incarnation before the hole.';
COMMENT ON COLUMN stream_hole.first_offset IS 'First message that was not stored.';
COMMENT ON COLUMN stream_hole.last_offset IS 'Last one; null where nobody can know.';
COMMENT ON COLUMN stream_hole.cause IS 'broker_retention: dropped by the stream''s limits; stream_reset: the stream was made anew.';
COMMENT ON COLUMN stream_hole.noted_at IS 'When it was noticed.';

CREATE TABLE quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    reason        text NOT NULL,
    detail        text NOT NULL DEFAULT '',
    routing_key   text NOT NULL,
    source        text NOT NULL,
    incarnation   int,
    stream_offset bigint,
    received_at   timestamptz,
    length        int NOT NULL,
    hash          bigint NOT NULL,
    payload       bytea NOT NULL
);
COMMENT ON TABLE quarantine IS 'A payload that could not be stored as it should have been.';
COMMENT ON COLUMN quarantine.quarantine_id IS 'Its number.';
COMMENT ON COLUMN quarantine.at IS 'When it was put here.';
COMMENT ON COLUMN quarantine.reason IS 'undecodable | newer_schema | invalid_frame | no_numeric_fields | bad_serial | too_large | unroutable | dead_letter | refused_by_database.';
COMMENT ON COLUMN quarantine.detail IS 'What exactly is wrong.';
COMMENT ON COLUMN quarantine.routing_key IS 'The key it was published with.';
COMMENT ON COLUMN quarantine.source IS 'Queue or stream that it came from.';
COMMENT ON COLUMN quarantine.incarnation IS 'Incarnation of the stream.';
COMMENT ON COLUMN quarantine.stream_offset IS 'Its offset in the stream.';
COMMENT ON COLUMN quarantine.received_at IS 'The broker''s stamp.';
COMMENT ON COLUMN quarantine.length IS 'Bytes of the payload.';
COMMENT ON COLUMN quarantine.hash IS 'FNV-1a (64 bits) of the payload.';
COMMENT ON COLUMN quarantine.payload IS 'The payload, at most its first 64 KiB.';
CREATE INDEX quarantine_at ON quarantine (at);

-- Control -----------------------------------------------------------------------------------------------------------

CREATE TABLE command (
    command_id   text PRIMARY KEY,
    serial       text NOT NULL,
    name         text NOT NULL,
    arguments    jsonb NOT NULL DEFAULT '{}',
    issuer       text NOT NULL DEFAULT '',
    state        text NOT NULL CHECK (state IN ('queued', 'delivered', 'succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'timed_out')),
    reason       text NOT NULL DEFAULT '',
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz,
    delivered_at timestamptz,
    finished_at  timestamptz
);
COMMENT ON TABLE command IS 'A command and its life.';
COMMENT ON COLUMN command.command_id IS 'Its id, as in the message.';
COMMENT ON COLUMN command.serial IS 'The sensor it is for.';
COMMENT ON COLUMN command.name IS 'sleep | awake | change_sample_frequency | …; empty while only an answer has come.';
COMMENT ON COLUMN command.arguments IS 'Its arguments.';
COMMENT ON COLUMN command.issuer IS 'Who gave it.';
COMMENT ON COLUMN command.state IS 'queued, delivered, then one of succeeded | failed | rejected | expired | cancelled | timed_out.';
COMMENT ON COLUMN command.reason IS 'Why it failed or was rejected.';
COMMENT ON COLUMN command.issued_at IS 'When it was given.';
COMMENT ON COLUMN command.expires_at IS 'It is not run after this.';
COMMENT ON COLUMN command.delivered_at IS 'When the sensor said that it had it.';
COMMENT ON COLUMN command.finished_at IS 'When the sensor said how it ended.';
CREATE INDEX command_by_sensor ON command (serial, issued_at);

CREATE TABLE alarm (
    alarm_id    text PRIMARY KEY,
    sensor_id   int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    channel     smallint NOT NULL,
    rule        text NOT NULL,
    raised_at   timestamptz,
    cleared_at  timestamptz,
    value       double precision,
    limit_value double precision,
    clear_value double precision,
    text        text NOT NULL DEFAULT ''
);
COMMENT ON TABLE alarm IS 'One alarm from its trigger to its clear.';
COMMENT ON COLUMN alarm.alarm_id IS 'Its id, as in the messages.';
COMMENT ON COLUMN alarm.sensor_id IS 'The sensor.';
COMMENT ON COLUMN alarm.channel IS 'The channel.';
COMMENT ON COLUMN alarm.rule IS 'limit:<channel>:high | limit:<channel>:low.';
COMMENT ON COLUMN alarm.raised_at IS 'Time of the samples that raised it; null while only the clear has come.';
COMMENT ON COLUMN alarm.cleared_at IS 'Time of the samples that cleared it; null while it is on.';
COMMENT ON COLUMN alarm.value IS 'The value that raised it.';
COMMENT ON COLUMN alarm.limit_value IS 'The limit that it crossed.';
COMMENT ON COLUMN alarm.clear_value IS 'The value that cleared it.';
COMMENT ON COLUMN alarm.text IS 'One sentence for people.';
CREATE INDEX alarm_raised_at ON alarm (raised_at);

CREATE TABLE alarm_state (
    sensor_id    int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    channel      smallint NOT NULL,
    alarm_id     text,
    side         text CHECK (side IN ('high', 'low')),
    since_ns     bigint,
    as_of_ns     bigint NOT NULL,
    PRIMARY KEY (sensor_id, channel)
) WITH (fillfactor = 50);
COMMENT ON TABLE alarm_state IS 'On which side of its limits a channel is, changed in the transaction that stores the samples that say so.';
COMMENT ON COLUMN alarm_state.sensor_id IS 'The sensor.';
COMMENT ON COLUMN alarm_state.channel IS 'The channel.';
COMMENT ON COLUMN alarm_state.alarm_id IS 'The alarm that is on; null: within limits.';
COMMENT ON COLUMN alarm_state.side IS 'high | low; null: within limits.';
COMMENT ON COLUMN alarm_state.since_ns IS 'When it was raised, Unix nanoseconds.';
COMMENT ON COLUMN alarm_state.as_of_ns IS 'Trusted time of the row that decided, Unix nanoseconds.';

CREATE TABLE sensor_log (
    "time"      timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    boot_id     bigint NOT NULL,
    sensor_id   int NOT NULL,
    level       smallint NOT NULL,
    text        text NOT NULL
);
COMMENT ON TABLE sensor_log IS 'A line of a sensor''s log.';
COMMENT ON COLUMN sensor_log."time" IS 'When it was written, by the sensor''s clock where that can be trusted.';
COMMENT ON COLUMN sensor_log.received_at IS 'The broker''s stamp.';
COMMENT ON COLUMN sensor_log.boot_id IS 'Start of the sensor.';
COMMENT ON COLUMN sensor_log.sensor_id IS 'The sensor.';
COMMENT ON COLUMN sensor_log.level IS '1 debug, 2 info, 3 warning, 4 error.';
COMMENT ON COLUMN sensor_log.text IS 'What it says.';
SELECT create_hypertable('sensor_log', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
CREATE INDEX sensor_log_by_sensor ON sensor_log (sensor_id, "time");

-- Functions ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(),
           lease_until = clock_timestamp() + INTERVAL '5 seconds'
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
END $$;
COMMENT ON FUNCTION ingest_commit IS 'The fence at the end of a batch: moves the committed offset, or fails with IOT01 if somebody else holds the partition or has moved it.';

CREATE FUNCTION samples(p_serial text, p_channel text, p_from timestamptz, p_to timestamptz)
RETURNS TABLE ("time" timestamptz, unix_ns bigint, value double precision)
LANGUAGE sql STABLE AS $$
    SELECT to_timestamp(0) + (s.unix_ns / 1000) * INTERVAL '1 microsecond', s.unix_ns, s.value
      FROM (
        SELECT m.start_ns + CASE WHEN k = 0 THEN 0 ELSE round(k / m.sample_rate_hz * 1e9)::bigint END AS unix_ns,
               CASE WHEN m.counts IS NOT NULL THEN m.count_offset + m.count_scale * m.counts[k + 1]
                    WHEN m.samples IS NOT NULL THEN m.samples[k + 1]::double precision
                    ELSE m.mean END AS value
          FROM (
            SELECT (extract(epoch FROM r."time") * 1000000)::bigint * 1000 + r.time_ns AS start_ns,
                   r.sample_rate_hz, r.n, r.samples, r.counts, r.count_scale, r.count_offset, r.mean
              FROM measurement r
              JOIN sensor s ON s.serial = p_serial AND s.sensor_id = r.sensor_id
             WHERE r.channel = coalesce(
                       (SELECT c.channel FROM channel c WHERE c.sensor_id = s.sensor_id AND c.name = p_channel),
                       CASE WHEN p_channel ~ '^[0-9]{1,4}$' THEN p_channel::smallint END)
               AND r."time" >= p_from - INTERVAL '60 seconds' AND r."time" < p_to
          ) m, generate_series(0, m.n - 1) k
      ) s
     WHERE s.unix_ns >= (extract(epoch FROM p_from) * 1000000)::bigint * 1000
       AND s.unix_ns < (extract(epoch FROM p_to) * 1000000)::bigint * 1000
     ORDER BY s.unix_ns
$$;
COMMENT ON FUNCTION samples IS 'Every sample of a channel (by name or number) from p_from to before p_to: time to the microsecond, unix_ns to the nanosecond.';

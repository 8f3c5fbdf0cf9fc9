-- Functions that the ingesters call while they store frames.

-- For ingesters of a release that does not know the column.
CREATE OR REPLACE FUNCTION sequence_gap_missing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.missing := NEW.last_sequence - NEW.first_sequence + 1;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION sequence_gap_missing IS 'Fills the column missing of a gap that an older release notes, which does not know the column.';

CREATE OR REPLACE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(), reached = NULL,
           lease_until = clock_timestamp() + INTERVAL '5 seconds', backend_pid = pg_backend_pid(),
           older_incarnation = p_incarnation, older_offset = p_after
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
END $$;
COMMENT ON FUNCTION ingest_commit(text, bigint, int, bigint, bigint, bigint) IS 'The fence for releases before rollups: no minute is closed while one of them writes.';

CREATE OR REPLACE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint,
    p_reached timestamptz, p_oldest timestamptz, p_knows_rules boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(),
           reached = coalesce(p_reached, reached, '-infinity'),
           lease_until = clock_timestamp() + INTERVAL '5 seconds', backend_pid = pg_backend_pid(),
           older_incarnation = CASE WHEN p_knows_rules THEN older_incarnation ELSE p_incarnation END,
           older_offset = CASE WHEN p_knows_rules THEN older_offset ELSE p_after END
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
    IF p_oldest IS NOT NULL THEN
        PERFORM rollup_late_only();
        IF p_oldest < (SELECT closed_to FROM rollup_state) THEN
            RAISE EXCEPTION 'rows of minutes that are closed were not noted as late' USING ERRCODE = 'IOT02';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION ingest_commit(text, bigint, int, bigint, bigint, bigint, timestamptz, timestamptz, boolean) IS 'The fence at the end of a batch: moves the committed offset, or fails with IOT01 if another replica holds the partition or has moved it. p_reached: the newest stamp of its messages. p_oldest: the oldest row that is not noted in rollup_late; fails with IOT02 if its minute is closed. p_knows_rules: whether rules are evaluated apart from storing.';

CREATE OR REPLACE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint,
    p_reached timestamptz, p_oldest timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ingest_commit(
        p_stream, p_epoch, p_incarnation, p_before, p_after, p_fingerprint, p_reached, p_oldest, false);
END $$;
COMMENT ON FUNCTION ingest_commit(text, bigint, int, bigint, bigint, bigint, timestamptz, timestamptz) IS 'The fence for releases without rules, which judge limits by what they store.';

-- The row is deleted from its own chunk: locks on all chunks would wait for readers of one that retention is about to
-- drop.
CREATE OR REPLACE FUNCTION ingest_chunk(p_hypertable text, p_time timestamptz)
RETURNS TABLE (starts timestamptz, ends timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    chunk text;
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT c.range_start, c.range_end, format('%I.%I', c.chunk_schema, c.chunk_name) INTO starts, ends, chunk
          FROM timescaledb_information.chunks c
         WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = p_hypertable
           AND c.range_start <= p_time AND c.range_end > p_time;
        IF FOUND AND attempt = 2 THEN
            EXECUTE format('DELETE FROM %s WHERE sensor_id = -1 AND "time" = $1', chunk) USING p_time;
        END IF;
        IF FOUND OR attempt = 2 THEN
            RETURN NEXT;
            RETURN;
        END IF;
        -- Both editions and all releases of TimescaleDB make a chunk for a row; other ways differ.
        CASE p_hypertable
            WHEN 'measurement' THEN
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock)
                VALUES (p_time, 0, p_time, -1, 0, 0, 0, 0);
            WHEN 'location' THEN
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude) VALUES (p_time, -1, 0, 0, 0);
        END CASE;
    END LOOP;
END $$;
COMMENT ON FUNCTION ingest_chunk IS 'The chunk of measurement or location that holds a time; creates it if it is missing. Call it in a short transaction of its own: until its end, other sessions that need a new chunk wait.';

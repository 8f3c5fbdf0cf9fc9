-- The ingester: whose server process writes a partition, and chunks that are there before a batch needs them.

CREATE OR REPLACE FUNCTION ingest_commit(
    p_stream text, p_epoch bigint, p_incarnation int, p_before bigint, p_after bigint, p_fingerprint bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_partition
       SET committed_offset = p_after, fingerprint = p_fingerprint, committed_at = clock_timestamp(),
           lease_until = clock_timestamp() + INTERVAL '5 seconds', backend_pid = pg_backend_pid()
     WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation
       AND committed_offset IS NOT DISTINCT FROM p_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours at offset % any more', p_stream, p_before USING ERRCODE = 'IOT01';
    END IF;
END $$;
COMMENT ON COLUMN ingest_partition.backend_pid IS 'Server process that made the last commit. One that is in a transaction now holds the advisory lock (6909812, hashtext(stream)).';

CREATE FUNCTION ingest_chunk(p_hypertable text, p_time timestamptz)
RETURNS TABLE (starts timestamptz, ends timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    FOR attempt IN 1..2 LOOP
        RETURN QUERY
            SELECT c.range_start, c.range_end FROM timescaledb_information.chunks c
             WHERE c.hypertable_schema = current_schema() AND c.hypertable_name = p_hypertable
               AND c.range_start <= p_time AND c.range_end > p_time;
        IF FOUND OR attempt = 2 THEN
            RETURN;
        END IF;
        -- A row is the one way to make a chunk that both editions have and no release changes.
        CASE p_hypertable
            WHEN 'measurement' THEN
                INSERT INTO measurement ("time", time_ns, received_at, sensor_id, channel, sample_rate_hz, n, clock)
                VALUES (p_time, 0, p_time, -1, 0, 0, 0, 0);
                DELETE FROM measurement WHERE sensor_id = -1 AND "time" = p_time;
            WHEN 'location' THEN
                INSERT INTO location ("time", sensor_id, latitude, longitude, altitude) VALUES (p_time, -1, 0, 0, 0);
                DELETE FROM location WHERE sensor_id = -1 AND "time" = p_time;
        END CASE;
    END LOOP;
END $$;
COMMENT ON FUNCTION ingest_chunk IS 'The chunk of measurement or location that holds a time, made if it is not there. Call it in a short transaction of its own: who makes a chunk keeps everybody else who needs a new one waiting until the end.';

-- 500 floats are 2,024 bytes, 28 more than a piece of TOAST holds: rows of up to half a page stay whole.
ALTER TABLE measurement SET (toast_tuple_target = 4080);

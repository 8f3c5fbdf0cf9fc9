-- Functions for alarm rules: what calls for a new revision, and the state of evaluation.

CREATE OR REPLACE FUNCTION note_rule_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rule_change DEFAULT VALUES;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_rule_change IS 'Notes that a new rule revision may be needed.';

-- One statement, so that a client that is suspended in the middle of it holds no lock.
CREATE OR REPLACE FUNCTION rule_state_save(
    p_stream text, p_epoch bigint, p_incarnation int, p_offset bigint, p_fingerprint bigint, p_body bytea,
    p_serials text[], p_channels text[], p_alarms text[], p_sides text[], p_since_ns bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_body IS NULL THEN
        DELETE FROM rule_state WHERE stream = p_stream;
    ELSE
        INSERT INTO rule_state (stream, epoch, incarnation, stream_offset, fingerprint, body)
        VALUES (p_stream, p_epoch, p_incarnation, p_offset, p_fingerprint, p_body)
        ON CONFLICT (stream) DO UPDATE
        SET epoch = EXCLUDED.epoch, incarnation = EXCLUDED.incarnation, stream_offset = EXCLUDED.stream_offset,
            fingerprint = EXCLUDED.fingerprint, body = EXCLUDED.body, saved_at = clock_timestamp();
    END IF;
    INSERT INTO alarm_state AS a (sensor_id, channel, alarm_id, side, since_ns, as_of_ns)
    SELECT s.sensor_id, c.channel, u.alarm, u.side, CASE WHEN u.alarm IS NOT NULL THEN u.since END, u.since
      FROM unnest(p_serials, p_channels, p_alarms, p_sides, p_since_ns) AS u(serial, name, alarm, side, since)
      JOIN sensor s ON s.serial = u.serial AND s.deleted_at IS NULL
      JOIN channel c ON c.sensor_id = s.sensor_id AND c.name = u.name
     ORDER BY s.sensor_id, c.channel
    ON CONFLICT (sensor_id, channel) DO UPDATE
    SET alarm_id = EXCLUDED.alarm_id, side = EXCLUDED.side, since_ns = EXCLUDED.since_ns, as_of_ns = EXCLUDED.as_of_ns;
    -- Last, because commits of the stream wait for the lock.
    PERFORM FROM ingest_partition
      WHERE stream = p_stream AND epoch = p_epoch AND incarnation = p_incarnation FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'partition % is not ours any more', p_stream USING ERRCODE = 'IOT01';
    END IF;
END $$;
COMMENT ON FUNCTION rule_state_save IS 'Saves the state of a stream''s evaluator (p_body null: no rule holds) and the limits'' alarms that began or ended since the state before, or fails with IOT01 if another replica holds the partition.';

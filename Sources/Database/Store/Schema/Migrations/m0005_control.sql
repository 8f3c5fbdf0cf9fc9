-- Commands are sent again, twins get their delta, presence has a state between online and offline.

ALTER TABLE command
    ADD COLUMN sent_at timestamptz,
    ADD COLUMN send_at timestamptz,
    ADD COLUMN sends   int NOT NULL DEFAULT 0;
COMMENT ON COLUMN command.sent_at IS 'When the registry sent it last; null: only its issuer did.';
COMMENT ON COLUMN command.send_at IS 'When the registry is to send it; null: not at all.';
COMMENT ON COLUMN command.sends IS 'How often the registry sent it.';
CREATE INDEX command_open ON command (serial) WHERE state IN ('queued', 'delivered');
CREATE INDEX command_expiring ON command (expires_at) WHERE state IN ('queued', 'delivered');
CREATE INDEX command_to_send ON command (send_at) WHERE send_at IS NOT NULL;
CREATE INDEX command_issued_at ON command (issued_at);

ALTER TABLE sensor
    ADD COLUMN lost_at       timestamptz,
    ADD COLUMN announces_s   int NOT NULL DEFAULT 10,
    ADD COLUMN delta_version bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT sensor_presence_check,
    ADD CONSTRAINT sensor_presence_check CHECK (presence IN ('unknown', 'online', 'lost', 'offline'));
COMMENT ON COLUMN sensor.lost_at IS 'When its Last Will came, while nothing has been heard of it since.';
COMMENT ON COLUMN sensor.last_seen IS 'When its newest announcement or answer came.';
COMMENT ON COLUMN sensor.announces_s IS 'Seconds between its announcements, as announced.';
COMMENT ON COLUMN sensor.delta_version IS 'The version of desired that it was last asked to follow.';
COMMENT ON COLUMN sensor.presence IS 'online; lost: the connection broke less than two keep-alives ago; offline; from announcements, answers, data and the Last Will.';
COMMENT ON COLUMN sensor.reported IS 'Properties that the sensor says it has: {"rate_hz": 1000, "location": {"name": "Hall 3"}}.';
CREATE INDEX sensor_without_delta ON sensor (sensor_id) WHERE desired_version > delta_version;
CREATE INDEX sensor_serial_prefix ON sensor (serial text_pattern_ops);

CREATE FUNCTION leaves(document jsonb) RETURNS TABLE (path text, value jsonb)
LANGUAGE sql IMMUTABLE AS $$
    WITH RECURSIVE node(path, value) AS (
        SELECT e.key, e.value
          FROM jsonb_each(CASE jsonb_typeof(document) WHEN 'object' THEN document ELSE '{}' END) e
        UNION ALL
        SELECT n.path || '.' || e.key, e.value
          FROM node n, jsonb_each(CASE jsonb_typeof(n.value) WHEN 'object' THEN n.value ELSE '{}' END) e
    )
    SELECT n.path, n.value FROM node n WHERE jsonb_typeof(n.value) <> 'object'
$$;
COMMENT ON FUNCTION leaves IS 'The properties within an object, each with its way there, joined by dots.';

CREATE FUNCTION twin_drift(desired jsonb, reported jsonb) RETURNS TABLE (path text, wanted jsonb, has jsonb)
LANGUAGE sql IMMUTABLE AS $$
    SELECT d.path, d.value, r.value
      FROM leaves(desired - 'limits') d LEFT JOIN leaves(reported) r USING (path)
     WHERE d.value IS DISTINCT FROM r.value
     ORDER BY d.path
$$;
COMMENT ON FUNCTION twin_drift IS 'What is wanted of a sensor and not reported so. Limits are left out: the ingesters keep them, sensors never report them.';

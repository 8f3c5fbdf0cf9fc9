-- The list of all sensors.

CREATE OR REPLACE VIEW fleet AS
    SELECT s.sensor_id, s.serial, s.kind, s.firmware, s.tags, t.name AS target, s.state, s.presence, s.first_seen,
           s.last_seen, l.data_at, coalesce(l.channels, 0) AS channels, p.latitude, p.longitude, p.altitude,
           p."time" AS located_at, coalesce(a.alarms_open, 0) AS alarms_open,
           coalesce(g.frames_missing, 0) AS frames_missing, l.clock, l.clock_offset_s
      FROM sensor s
      LEFT JOIN target t USING (target_id)
      LEFT JOIN place p USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, max("time") AS data_at, count(*)::int AS channels, last(clock, "time") AS clock,
                        last(clock_offset_s, "time") AS clock_offset_s
                   FROM latest GROUP BY 1) l USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, count(*)::int AS alarms_open FROM alarm
                  WHERE cleared_at IS NULL AND raised_at IS NOT NULL GROUP BY 1) a USING (sensor_id)
      LEFT JOIN (SELECT sensor_id, sum(missing)::bigint AS frames_missing FROM sequence_gap GROUP BY 1) g USING (sensor_id)
     WHERE s.deleted_at IS NULL;
COMMENT ON VIEW fleet IS 'One row for each sensor that is not deleted: kind, position, state, and counts of alarms and losses.';
COMMENT ON COLUMN fleet.sensor_id IS 'Its number.';
COMMENT ON COLUMN fleet.serial IS 'Its serial number.';
COMMENT ON COLUMN fleet.kind IS 'As in sensor.';
COMMENT ON COLUMN fleet.firmware IS 'As in sensor.';
COMMENT ON COLUMN fleet.tags IS 'As in sensor.';
COMMENT ON COLUMN fleet.target IS 'Name of the machine that carries it.';
COMMENT ON COLUMN fleet.state IS 'As in sensor.';
COMMENT ON COLUMN fleet.presence IS 'As in sensor.';
COMMENT ON COLUMN fleet.first_seen IS 'As in sensor.';
COMMENT ON COLUMN fleet.last_seen IS 'As in sensor.';
COMMENT ON COLUMN fleet.data_at IS 'When its newest sample was taken.';
COMMENT ON COLUMN fleet.channels IS 'Channels that have sent something.';
COMMENT ON COLUMN fleet.latitude IS 'Its position: degrees, WGS 84; null: never reported.';
COMMENT ON COLUMN fleet.longitude IS 'Degrees, WGS 84.';
COMMENT ON COLUMN fleet.altitude IS 'Metres above mean sea level.';
COMMENT ON COLUMN fleet.located_at IS 'The time since which it has been there.';
COMMENT ON COLUMN fleet.alarms_open IS 'Active alarms.';
COMMENT ON COLUMN fleet.frames_missing IS 'Frames that the loss ledger lists.';
COMMENT ON COLUMN fleet.clock IS 'Of its newest value, as in latest.';
COMMENT ON COLUMN fleet.clock_offset_s IS 'Of its newest value, as in latest.';

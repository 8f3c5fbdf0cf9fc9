-- The positions of sensors, now and earlier.

CREATE OR REPLACE FUNCTION location_is_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO place AS p ("time", latitude, longitude, altitude, sensor_id)
    SELECT NEW."time", NEW.latitude, NEW.longitude, NEW.altitude, s.sensor_id FROM sensor s WHERE s.sensor_id = NEW.sensor_id
    ON CONFLICT (sensor_id) DO UPDATE
    SET "time" = EXCLUDED."time", latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, altitude = EXCLUDED.altitude
    WHERE p."time" <= EXCLUDED."time";
    RETURN NULL;
END $$;
COMMENT ON FUNCTION location_is_place IS 'Keeps place up to date: a location that arrives late does not replace a newer one.';

CREATE OR REPLACE FUNCTION track(p_serial text, p_from timestamptz, p_to timestamptz, p_max_points int DEFAULT 1000)
RETURNS TABLE ("time" timestamptz, latitude double precision, longitude double precision, altitude double precision)
LANGUAGE sql STABLE AS $$
    WITH seen AS (
        -- place keeps what retention dropped from location
        (SELECT p_from AS "time", b.latitude, b.longitude, b.altitude
           FROM sensor s CROSS JOIN LATERAL (
                (SELECT l."time", l.latitude, l.longitude, l.altitude FROM location l
                  WHERE l.sensor_id = s.sensor_id AND l."time" <= p_from ORDER BY l."time" DESC LIMIT 1)
                UNION ALL
                SELECT p."time", p.latitude, p.longitude, p.altitude FROM place p
                 WHERE p.sensor_id = s.sensor_id AND p."time" <= p_from) b
          WHERE s.serial = p_serial ORDER BY b."time" DESC LIMIT 1)
        UNION ALL
        SELECT l."time", l.latitude, l.longitude, l.altitude
          FROM location l JOIN sensor s USING (sensor_id)
         WHERE s.serial = p_serial AND l."time" > p_from AND l."time" < p_to
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY "time") - 1 AS k, count(*) OVER () AS places FROM seen
    )
    SELECT "time", latitude, longitude, altitude FROM numbered
     WHERE places <= greatest(p_max_points, 2) OR k = places - 1
        OR k * (greatest(p_max_points, 2) - 1) / places <> (k - 1) * (greatest(p_max_points, 2) - 1) / places OR k = 0
     ORDER BY "time"
$$;
COMMENT ON FUNCTION track IS 'The positions of a sensor from p_from to before p_to: the one at p_from, then each change. Of more than p_max_points the first, the last, and evenly spaced ones between them.';

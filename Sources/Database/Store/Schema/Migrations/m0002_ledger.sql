-- The loss ledger gets causes and places; what a sensor announces of each start; how far its clock is off.

ALTER TABLE sensor_boot
    ADD COLUMN given_up          bigint NOT NULL DEFAULT 0,
    ADD COLUMN stream            text,
    ADD COLUMN first_incarnation int,
    ADD COLUMN first_offset      bigint,
    ADD COLUMN last_incarnation  int,
    ADD COLUMN last_offset       bigint,
    ADD COLUMN last_at           timestamptz;
COMMENT ON COLUMN sensor_boot.given_up IS 'Frames not stored because they lie in a joined gap, where nobody knows whether they are there.';
COMMENT ON COLUMN sensor_boot.stream IS 'Stream of its last frame.';
COMMENT ON COLUMN sensor_boot.first_incarnation IS 'Incarnation of that stream when its first frame came by it.';
COMMENT ON COLUMN sensor_boot.first_offset IS 'Offset of its first frame in that stream.';
COMMENT ON COLUMN sensor_boot.last_incarnation IS 'Incarnation of that stream when its last frame came.';
COMMENT ON COLUMN sensor_boot.last_offset IS 'Offset of its last frame in that stream.';
COMMENT ON COLUMN sensor_boot.last_at IS 'When its last frame was stored, or found to be there.';

ALTER TABLE sequence_gap ADD COLUMN missing bigint;
UPDATE sequence_gap SET missing = last_sequence - first_sequence + 1;
UPDATE sequence_gap SET cause = 'late'
 WHERE cause NOT IN ('late', 'broker_retention', 'stream_reset', 'quarantined', 'dropped_at_source', 'sensor_restarted');
ALTER TABLE sequence_gap
    ALTER missing SET NOT NULL,
    ADD CHECK (missing BETWEEN 1 AND last_sequence - first_sequence + 1),
    ADD CONSTRAINT sequence_gap_cause CHECK (cause IN
        ('late', 'broker_retention', 'stream_reset', 'quarantined', 'dropped_at_source', 'sensor_restarted'));
-- An ingester of the release before, which may still run beside this one, doesn't say it.
CREATE FUNCTION sequence_gap_missing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.missing := NEW.last_sequence - NEW.first_sequence + 1;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION sequence_gap_missing IS 'Fills missing in where a release that doesn''t know it notes a gap.';
CREATE TRIGGER sequence_gap_missing BEFORE INSERT ON sequence_gap
    FOR EACH ROW WHEN (NEW.missing IS NULL) EXECUTE FUNCTION sequence_gap_missing();
COMMENT ON COLUMN sequence_gap.missing IS 'How many of them are missing: all, unless old gaps were joined over frames that are stored.';
COMMENT ON COLUMN sequence_gap.cause IS 'late: not known, may still come; broker_retention: the stream''s limits dropped them; stream_reset: gone with the stream; quarantined: came, could not be stored; dropped_at_source: the sensor dropped them and said so; sensor_restarted: not sent before the sensor began anew.';
CREATE INDEX sequence_gap_late ON sequence_gap (sensor_id) WHERE cause = 'late';

CREATE TABLE boot_announcement (
    sensor_id             int NOT NULL REFERENCES sensor ON DELETE CASCADE,
    boot_id               bigint NOT NULL,
    next_sequence         bigint NOT NULL,
    frames_dropped        bigint NOT NULL,
    state                 text NOT NULL CHECK (state IN ('awake', 'asleep', 'stopped')),
    first_at              timestamptz NOT NULL,
    announced_at          timestamptz NOT NULL,
    earlier_next_sequence bigint NOT NULL DEFAULT 0,
    earlier_at            timestamptz,
    PRIMARY KEY (sensor_id, boot_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE boot_announcement IS 'What a sensor said of one start of it; never goes back.';
COMMENT ON COLUMN boot_announcement.sensor_id IS 'The sensor.';
COMMENT ON COLUMN boot_announcement.boot_id IS 'The start.';
COMMENT ON COLUMN boot_announcement.next_sequence IS 'Frames that it had made: more than are stored means loss.';
COMMENT ON COLUMN boot_announcement.frames_dropped IS 'Frames that it had dropped before they could be sent.';
COMMENT ON COLUMN boot_announcement.state IS 'What it was doing: awake | asleep | stopped.';
COMMENT ON COLUMN boot_announcement.first_at IS 'The broker''s stamp of its first announcement.';
COMMENT ON COLUMN boot_announcement.announced_at IS 'The broker''s stamp of its newest announcement.';
COMMENT ON COLUMN boot_announcement.earlier_next_sequence IS 'next_sequence of an earlier announcement: those frames have had time to arrive.';
COMMENT ON COLUMN boot_announcement.earlier_at IS 'The broker''s stamp of that one.';

ALTER TABLE latest
    ADD COLUMN clock          smallint NOT NULL DEFAULT 0 CHECK (clock BETWEEN 0 AND 3),
    ADD COLUMN clock_offset_s double precision;
COMMENT ON COLUMN latest.clock IS 'As in measurement: 0 the device''s time was taken; 1 in the future, 2 too old, 3 missing.';
COMMENT ON COLUMN latest.clock_offset_s IS 'Seconds from the frame''s arrival to the device''s time of its last sample: the drift of its clock, less the way.';

-- Sensors can be deleted and renamed (decision 0018), and imported values say nothing of presence.

ALTER TABLE sensor
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN renamed_to int REFERENCES sensor ON DELETE SET NULL;
COMMENT ON COLUMN sensor.deleted_at IS 'When an operator deleted it and kept its history; null: it is not deleted. The next message from it makes this null again.';
COMMENT ON COLUMN sensor.renamed_to IS 'The sensor that had this serial number before an operator renamed it; null: none, or a new sensor with this number has sent something since.';
CREATE INDEX sensor_renamed_to ON sensor (renamed_to) WHERE renamed_to IS NOT NULL;

ALTER TABLE sensor_boot ADD COLUMN carried bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sensor_boot.carried IS 'Frames of this boot that are stored under the name that the sensor got when it was renamed: the ledger remembers them, so that none is stored under both names.';

ALTER TABLE alarm ADD COLUMN clear_cause text;
COMMENT ON COLUMN alarm.clear_cause IS 'sensor_deleted: an operator deleted the sensor while the alarm was active; null: its samples cleared it.';
CREATE INDEX alarm_by_sensor ON alarm (sensor_id);

CREATE TABLE operator_action (
    action_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    issuer       text NOT NULL,
    action       text NOT NULL CHECK (action IN ('delete', 'delete_with_history', 'rename')),
    serial       text NOT NULL,
    new_serial   text,
    sensor_id    int NOT NULL,
    rows_deleted bigint NOT NULL DEFAULT 0,
    finished_at  timestamptz
);
COMMENT ON TABLE operator_action IS 'Who deleted or renamed which sensor, and when. The largest action_id is the version of the sensors'' names, by which the ingesters notice that numbers in their memory are out of date. Rows stay.';
COMMENT ON COLUMN operator_action.action_id IS 'Its number; grows in the order of the commits.';
COMMENT ON COLUMN operator_action.at IS 'When it was done.';
COMMENT ON COLUMN operator_action.issuer IS 'Who did it, as in command.';
COMMENT ON COLUMN operator_action.action IS 'delete: the history stays; delete_with_history; rename.';
COMMENT ON COLUMN operator_action.serial IS 'The sensor''s serial number before.';
COMMENT ON COLUMN operator_action.new_serial IS 'The serial number after a rename.';
COMMENT ON COLUMN operator_action.sensor_id IS 'The sensor''s number.';
COMMENT ON COLUMN operator_action.rows_deleted IS 'Rows of its history that are deleted so far.';
COMMENT ON COLUMN operator_action.finished_at IS 'When all was done; null while rows of a history remain to be deleted.';
CREATE INDEX operator_action_by_serial ON operator_action (serial, at);
CREATE INDEX operator_action_open ON operator_action (action_id) WHERE finished_at IS NULL;

ALTER TABLE latest ALTER received_at DROP NOT NULL;
COMMENT ON COLUMN latest.received_at IS 'When its frame arrived at the broker; null: all values of the channel were imported from files.';

-- Without statistics the planner takes one sensor in two hundred to be not deleted, and joins lists of thousands row by row.
ANALYZE sensor;

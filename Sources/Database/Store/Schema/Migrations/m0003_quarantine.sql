-- What can be read of payloads that could not be stored: whose they are, and which frame.

ALTER TABLE quarantine ADD serial text, ADD boot_id bigint, ADD sequence bigint;
COMMENT ON COLUMN quarantine.serial IS 'Serial number in its routing key; null if the key names none.';
COMMENT ON COLUMN quarantine.boot_id IS 'Start of the sensor, as its header says; null if that can''t be read. A hint: the damage may be there.';
COMMENT ON COLUMN quarantine.sequence IS 'Number of the frame in its boot, as its header says; null if that can''t be read.';
COMMENT ON TABLE quarantine IS 'A payload that could not be stored as it should have been. iotctl quarantine shows, replays and drops them.';
CREATE INDEX quarantine_by_sensor ON quarantine (serial, boot_id) WHERE serial IS NOT NULL;

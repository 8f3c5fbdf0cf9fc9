-- A message that the broker took and can't deliver (decision 0007, 12) is a hole of its own cause.

ALTER TABLE stream_hole DROP CONSTRAINT stream_hole_cause_check;
ALTER TABLE stream_hole ADD CONSTRAINT stream_hole_cause_check
    CHECK (cause IN ('broker_retention', 'stream_reset', 'undeliverable'));
COMMENT ON TABLE stream_hole IS 'Messages of a stream that were gone before they were stored, or could not be read.';
COMMENT ON COLUMN stream_hole.cause IS 'broker_retention: dropped by the stream''s limits; stream_reset: the stream was made anew; undeliverable: the broker has it and can''t deliver it.';
COMMENT ON COLUMN quarantine.reason IS 'undecodable | newer_schema | invalid_frame | no_numeric_fields | bad_serial | too_large | unroutable | dead_letter | refused_by_database | undeliverable.';

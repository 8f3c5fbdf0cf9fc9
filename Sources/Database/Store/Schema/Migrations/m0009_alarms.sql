-- Alarms of rules: what the message of an alarm says beyond its value.

ALTER TABLE alarm
    ADD COLUMN severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN channel_name text,
    ADD COLUMN unit text,
    ADD COLUMN runbook text,
    ADD COLUMN stream text,
    ADD COLUMN epoch bigint,
    ADD COLUMN stream_offset bigint,
    ADD COLUMN late boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN alarm.severity IS 'info | warning | critical.';
COMMENT ON COLUMN alarm.channel_name IS 'The channel''s name, as the evaluator knew it; null: the rule concerns the whole sensor, or an older release evaluated it.';
COMMENT ON COLUMN alarm.unit IS 'The unit of value and limit_value; null: unknown.';
COMMENT ON COLUMN alarm.runbook IS 'A link for the operator; null: the rule has none.';
COMMENT ON COLUMN alarm.stream IS 'The stream with the message that raised it; null: an older release evaluated it.';
COMMENT ON COLUMN alarm.epoch IS 'The epoch of the lease under which it was evaluated.';
COMMENT ON COLUMN alarm.stream_offset IS 'The offset of the message that raised it.';
COMMENT ON COLUMN alarm.late IS 'Whether it was evaluated long after its time, because its evaluator was away.';
COMMENT ON COLUMN alarm.clear_cause IS 'Why it ended if it was not the signal: sensor_deleted, rule_changed, rule_removed, rule_disabled, no_longer_selected; null: the signal cleared it, or it is active.';

-- Acknowledgement of alarms.

ALTER TABLE alarm
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text,
    ADD COLUMN acknowledged_comment text;
COMMENT ON COLUMN alarm.acknowledged_at IS 'When it was acknowledged first, by the clock of the program that recorded it; null: not yet.';
COMMENT ON COLUMN alarm.acknowledged_by IS 'Who acknowledged it first: a person, or a program with its host.';
COMMENT ON COLUMN alarm.acknowledged_comment IS 'What was said then; empty: nothing.';

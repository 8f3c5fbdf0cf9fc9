#!/bin/bash
# Runs once, in the empty database: the services' role and Grafana's, and the extensions that need a superuser.
# Passwords are read from the secrets by psql itself: no command line ever holds one.
set -euo pipefail
psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username=postgres --dbname=iot <<'SQL'
-- Else pg_stat_statements, which Grafana reads, would hold CREATE ROLE with the passwords.
SET pg_stat_statements.track = 'none';
\set iot `cat /run/secrets/database_password`
\set grafana `cat /run/secrets/grafana_database_password`
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE EXTENSION IF NOT EXISTS pg_stat_kcache;
CREATE ROLE iot LOGIN PASSWORD :'iot';
ALTER DATABASE iot OWNER TO iot;
-- Users who edit a panel send SQL of their own: it can only read, and for a limited time.
CREATE ROLE grafana LOGIN PASSWORD :'grafana';
GRANT pg_read_all_data, pg_read_all_stats TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
SQL

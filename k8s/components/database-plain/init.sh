#!/bin/bash
# Run by the image's entrypoint, once, when it makes the database: extensions, the services' role and database, and
# Grafana's role, which can only read.
set -euo pipefail
PGHOST="" psql -X -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d template1 <<'SQL'
-- Else pg_stat_statements, which Grafana reads, would hold CREATE ROLE with the passwords.
SET pg_stat_statements.track = 'none';
\getenv iot_password IOT_PASSWORD
\getenv grafana_password GRAFANA_PASSWORD
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE EXTENSION IF NOT EXISTS pg_stat_kcache;
CREATE ROLE iot LOGIN PASSWORD :'iot_password';
CREATE ROLE grafana LOGIN PASSWORD :'grafana_password';
GRANT pg_read_all_data, pg_read_all_stats TO grafana;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '30s';
\connect postgres
CREATE DATABASE iot OWNER iot;
SQL

#!/bin/sh
# Makes a role with its databases for Handover and for Temporal where there is none, and gives both their passwords of now.
set -eu
psql --quiet --no-psqlrc --dbname=postgres --set=ON_ERROR_STOP=1 <<'SQL'
\getenv handover HANDOVER_DATABASE_PASSWORD
\getenv temporal TEMPORAL_DATABASE_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['handover', 'temporal']) AS wanted(name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE handover PASSWORD :'handover';
ALTER ROLE temporal PASSWORD :'temporal';

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', name, role)
  FROM (VALUES ('handover', 'handover'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal')) AS wanted(name, role)
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE ALL ON DATABASE handover, temporal, temporal_visibility FROM PUBLIC;
SQL

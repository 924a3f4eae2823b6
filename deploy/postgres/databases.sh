#!/bin/sh
# Makes the roles and databases of Handover and of Temporal where there are none, and gives all roles their passwords of now.
# Handover's tables belong to handover_owner, as whom `migrate` connects; its processes are handover, which that lets work.
set -eu
psql --quiet --no-psqlrc --dbname=postgres --set=ON_ERROR_STOP=1 <<'SQL'
\getenv handover HANDOVER_DATABASE_PASSWORD
\getenv handover_owner HANDOVER_OWNER_PASSWORD
\getenv temporal TEMPORAL_DATABASE_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['handover', 'handover_owner', 'temporal']) AS wanted(name)
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE handover PASSWORD :'handover';
ALTER ROLE handover_owner PASSWORD :'handover_owner';
ALTER ROLE temporal PASSWORD :'temporal';

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', name, role)
  FROM (VALUES ('handover', 'handover_owner'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal')) AS wanted(name, role)
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
REVOKE ALL ON DATABASE handover, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE handover TO handover;  -- an import is staged in temporary tables
SQL

#!/bin/sh
# Brings both of Temporal's databases up to the schema of this image; where they are, nothing changes.
set -eu
for store in temporal:temporal temporal_visibility:visibility; do
  reach="--plugin postgres12 --ep $POSTGRES_SEEDS --port 5432 --user $POSTGRES_USER --db ${store%:*}"
  temporal-sql-tool $reach setup-schema -v 0.0
  temporal-sql-tool $reach update-schema -d "/etc/temporal/schema/postgresql/v12/${store#*:}/versioned"
done

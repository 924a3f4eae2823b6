#!/bin/sh
# Makes the namespace where there is none; Handover's own job, `./handover migrate`, registers the search attributes in it.
set -eu
temporal operator cluster health
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

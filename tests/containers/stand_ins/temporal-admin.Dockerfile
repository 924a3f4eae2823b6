# temporalio/admin-tools: the CLI and the SQL tool, with the schema of the server's own sources.
FROM local/debian:12
RUN useradd --uid 1000 temporal
COPY temporal temporal-sql-tool /usr/local/bin/
COPY schema /etc/temporal/schema
USER temporal
CMD ["sh", "-c", "trap exit INT HUP TERM; sleep infinity"]

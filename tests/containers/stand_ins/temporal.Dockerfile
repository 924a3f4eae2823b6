# temporalio/server: the server, with the entry point of its own sources.
FROM local/debian:12
RUN useradd --uid 1000 temporal
COPY temporal-server /usr/local/bin/
COPY entrypoint.sh /etc/temporal/entrypoint.sh
WORKDIR /etc/temporal
USER temporal
CMD ["/etc/temporal/entrypoint.sh"]

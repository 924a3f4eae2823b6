# temporalio/ui: the UI's server, with the entry point and the configuration of its own sources.
FROM local/debian:12
RUN useradd --uid 1000 temporal
WORKDIR /home/ui-server
COPY ui-server start-ui-server.sh ./
COPY docker.yaml config/docker.yaml
RUN chmod 755 start-ui-server.sh
ENTRYPOINT ["./start-ui-server.sh"]

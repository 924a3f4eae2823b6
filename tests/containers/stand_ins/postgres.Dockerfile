# The official image, as docker-compose.yml uses it: run as its user `postgres`, whose data a volume takes over.
FROM local/postgres:15
RUN install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data && chmod 3777 /var/run/postgresql
ENV LANG=C.UTF-8

# One image, three commands: `python -m api`, `python worker.py`, `python worker.py --gateway`.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
COPY requirements/main.txt /tmp/main.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/main.txt

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
# no `licenses`: Handover itself has none; those of what it is made of are in the bill of materials, where there is one
LABEL org.opencontainers.image.title="Handover" \
      org.opencontainers.image.description="Moves EV charge points between owners: API, worker and gateway" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      handover.sbom="/app/dist/handover.cdx.json"
# its folder is the one place to write to, where a volume is mounted there
RUN useradd --no-create-home --home-dir /var/lib/handover --uid 10001 handover \
 && install -d -o handover -g handover -m 700 /var/lib/handover
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HANDOVER_API_HOST=0.0.0.0 HANDOVER_GATEWAY_HOST=0.0.0.0
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8000 9000
CMD ["python", "-m", "api"]

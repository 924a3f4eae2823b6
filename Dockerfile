# One image, three commands: `python -m api`, `python worker.py`, `python worker.py --gateway`.
FROM python:3.11-slim AS packages
COPY requirements/main.txt /tmp/main.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/main.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 handover
WORKDIR /app
COPY --from=packages /venv /venv
COPY --chown=root:root . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HANDOVER_API_HOST=0.0.0.0 HANDOVER_GATEWAY_HOST=0.0.0.0
USER handover
EXPOSE 8000 9000
CMD ["python", "-m", "api"]

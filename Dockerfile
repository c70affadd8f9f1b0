# The service in a container: no compiler, no root. `.ci/container.py` runs these same steps in a clean folder.
FROM python:3.11-slim
WORKDIR /app
COPY pyproject.toml requirements.txt README.md LICENSE config.yml ./
COPY connectors connectors
RUN pip install --no-cache-dir --require-hashes -r requirements.txt && pip install --no-cache-dir --no-deps .
# The embedded engine's data, where engine.host names no other engine.
RUN mkdir data && chown 10001:10001 data
VOLUME /app/data
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=20s CMD ["connectors", "engine", "check"]
ENTRYPOINT ["connectors"]
CMD ["engine", "check", "--write"]

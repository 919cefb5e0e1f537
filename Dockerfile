# The image of every part of Flyball: `docker build -t flyball:0.1.0 .`
# Versions are those of pyproject.toml, which pins every package that is installed, transitive ones too.
ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
ENV UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.8
WORKDIR /app
# packages first: a change of the code does not fetch them again
COPY pyproject.toml README.md LICENSE ./
COPY sdk/pyproject.toml sdk/README.md sdk/
RUN uv sync --no-default-groups --no-install-workspace
COPY alerts alerts
COPY control control
COPY flows flows
COPY flyball flyball
COPY models models
COPY sdk sdk
COPY slos slos
COPY streams streams
# the user it runs as cannot write byte code beside the sources, and would compile them at each start: 7 s, not 3
RUN uv sync --no-default-groups --compile-bytecode && python -m compileall -q alerts control flows flyball models sdk streams

FROM ${PYTHON}
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/var/cache/flyball
RUN useradd --system --uid 10001 --home-dir /var/lib/flyball --create-home flyball \
  && install -d -o flyball -g flyball /var/cache/flyball /etc/flyball
COPY --from=build /app /app
WORKDIR /app
USER 10001
# whatever is compiled once is compiled here, by the user that it will run as
RUN flyball simulate --spans 2000 --to /tmp/traffic.jsonl && flyball replay /tmp/traffic.jsonl >/dev/null && rm /tmp/traffic.jsonl
VOLUME /var/lib/flyball
STOPSIGNAL SIGTERM
ENTRYPOINT ["flyball"]
CMD ["up", "--config", "/etc/flyball", "--data", "/var/lib/flyball"]

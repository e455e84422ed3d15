# Two images: `--target operator` and `--target worker`. Any Debian with python3 (3.11 or later), venv and pip will do.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
# pip stays outside: the environment holds what is needed at run time and no more.
RUN python3 -m venv --without-pip /opt/tidegate
ENV PIP="python3 -m pip --python /opt/tidegate/bin/python --disable-pip-version-check --no-cache-dir --quiet"

FROM build AS dependencies-operator
COPY requirements/operator.txt .
RUN $PIP install --require-hashes --requirement operator.txt

FROM build AS dependencies-worker
COPY requirements/worker.txt .
RUN $PIP install --require-hashes --requirement worker.txt

# Installed beside the environment, so that a change of our code changes one small layer.
FROM build AS code
COPY pyproject.toml README.md* ./
COPY operator operator
RUN $PIP install --no-deps --root /staging .

FROM ${BASE_IMAGE} AS runtime
# The root filesystem may be read-only: bytecode was compiled when the packages were installed.
ENV PATH=/opt/tidegate/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /

FROM runtime AS worker
COPY --from=dependencies-worker /opt/tidegate /opt/tidegate
COPY --from=code /staging /
ENTRYPOINT ["tidegate-worker"]

FROM runtime AS operator
COPY --from=dependencies-operator /opt/tidegate /opt/tidegate
COPY --from=code /staging /
ENTRYPOINT ["tidegate-operator"]

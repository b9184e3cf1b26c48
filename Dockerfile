# One image for every program: docker run nenghao collect | settle | alert | serve | all | migrate …
# Debian's own Python, so that the image and a Debian 13 machine are the same world.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS builder
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv
WORKDIR /build
# Tools stay in this stage; of the development lock only the build backend is taken.
COPY requirements.lock requirements-dev.lock ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=secret,id=pip-user,target=/root/.config/pip/pip.conf \
    --mount=type=secret,id=certificates \
    if [ -f /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi \
 && python3 -m venv /tools \
 && python3 -m venv --without-pip /opt/nenghao \
 && awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
        requirements-dev.lock > backend.lock \
 && /tools/bin/pip install --no-cache-dir --require-hashes --requirement backend.lock \
 && /tools/bin/pip --python /opt/nenghao/bin/python install --no-cache-dir \
        --require-hashes --requirement requirements.lock
COPY . .
RUN /tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /tools/bin/pip --python /opt/nenghao/bin/python install --no-index --no-deps /wheels/*.whl

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/nenghao --create-home nenghao
COPY --from=builder /opt/nenghao /opt/nenghao
ENV PATH=/opt/nenghao/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NENGHAO_STATE_DIR=/var/lib/nenghao \
    NENGHAO_HTTP_HOST=0.0.0.0
WORKDIR /var/lib/nenghao
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["nenghao"]

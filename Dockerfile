# The image of every node: `picoclaw`, told by PICOCLAW_* in its environment what it is.
#   docker build -t picoclaw .          from a checkout; a mirror: --build-arg PIP_INDEX_URL=...
# docs/deployment.md says how it is run.

FROM python:3.11-slim AS build
ARG PIP_INDEX_URL
# A certificate authority of your own, where a mirror needs one: a file that is in the base image.
ARG SSL_CERT_FILE
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_NO_PROGRESS=1 UV_LINK_MODE=copy
WORKDIR /src
COPY pyproject.toml requirements.lock ./
# Everything by its hash in the lock: first what installs and builds, then what runs. Neither pip nor a
# compiler goes into /opt/picoclaw, which is all that the image takes from here.
RUN python -m venv /tools \
    && if [ -n "$SSL_CERT_FILE" ]; then export PIP_CERT="$SSL_CERT_FILE"; fi \
    && awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements.lock >/tools/uv.txt \
    && /tools/bin/pip install --quiet --require-hashes --requirement /tools/uv.txt \
    && if [ -n "$PIP_INDEX_URL" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; fi \
    && /tools/bin/uv pip install --python /tools/bin/python --require-hashes \
        --constraint requirements.lock --group setup \
    && python -m venv --without-pip /opt/picoclaw \
    && /tools/bin/uv pip install --python /opt/picoclaw/bin/python --require-hashes --compile-bytecode \
        --constraint requirements.lock --build-constraints requirements.lock \
        --requirement pyproject.toml --extra review
COPY . .
RUN /tools/bin/python -m hatchling build --target wheel --directory /dist \
    && /tools/bin/uv pip install --python /opt/picoclaw/bin/python --no-deps --no-index --compile-bytecode \
        /dist/*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="PicoClaw Swarm" \
      org.opencontainers.image.description="A node of a swarm of agent processes over NATS JetStream." \
      org.opencontainers.image.licenses="Apache-2.0"
# git: a review reads repositories with it. tini: PID 1, which passes SIGTERM on and reaps what jobs leave.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 picoclaw \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin picoclaw
COPY --from=build /opt/picoclaw /opt/picoclaw
ENV PATH="/opt/picoclaw/bin:$PATH" \
    HOME=/home/picoclaw \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /home/picoclaw
# Run directory, repository cache and job folders: all that a node writes, but for /tmp. It may be lost.
VOLUME /home/picoclaw
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["picoclaw", "health", "--ready"]
ENTRYPOINT ["tini", "--", "picoclaw"]
CMD []

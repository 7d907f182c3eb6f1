# The recommender and its command line in one image: docs/deploy/README.md says how to run it.
#
#   docker build --tag recommender .

# The Python that constraints.txt is made and tested with.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE constraints.txt ./
COPY recommender recommender
COPY api api
COPY notebooks notebooks
# Parquet files and notebooks are for another place than a server; --build-arg EXTRAS=all has them.
ARG EXTRAS=fast,analysis,cms,console,postgresql
RUN python3 -m venv --without-pip /opt/recommender \
 && python3 -m venv /build/tools \
 && /build/tools/bin/pip --python /opt/recommender/bin/python install --quiet --no-cache-dir --no-compile \
        --constraint constraints.txt ".[${EXTRAS}]"
# Tests of other packages run nowhere here; what is left is compiled once, the file system may be
# read-only later.
RUN find /opt/recommender/lib -type d -name tests -prune -exec rm -r {} + \
 && /opt/recommender/bin/python -m compileall -q -j 2 /opt/recommender/lib

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="recommender" \
      org.opencontainers.image.description="Related-article lists learned from text and clicks" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 recommender \
 && useradd --system --uid 10001 --gid recommender --no-create-home \
        --home-dir /srv/recommender --shell /usr/sbin/nologin recommender \
 && install -d -o recommender -g recommender /srv/recommender /srv/recommender/models \
        /srv/recommender/rules /srv/recommender/backups
COPY --from=build /opt/recommender /opt/recommender
COPY docs/deploy/nightly.sh /usr/local/bin/recommender-nightly
# What numba compiles is kept where even a container with a read-only root may write.
ENV PATH=/opt/recommender/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp \
    RECOMMENDER_EDITORIAL=rules/editorial.csv
WORKDIR /srv/recommender
USER 10001:10001
VOLUME /srv/recommender/models
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: before the first training there is nothing to be ready with, and no restart helps.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["recommender"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"]

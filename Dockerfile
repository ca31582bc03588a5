# Latent Lab in a container: the laboratory of a group, or a gallery that only shows. docs/deploy.md says how to run it.
#
#   docker build -t latent-lab .                              PyTorch as it usually comes, on x86 with CUDA's libraries
#   docker build -t latent-lab --build-arg TORCH_INDEX=… .    another build of it: the address that the selector on
#                                                             PyTorch's site shows, for CPU say; some 6 GB less

FROM debian:bookworm-slim AS python
# Versions are the distribution's, so that an image made anew has its security updates.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*

FROM python AS environment
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY locks locks
ARG TORCH_INDEX=
# A laboratory with a mirror of its own mounts its pip.conf: --secret id=pip,src=/etc/pip.conf
# As `make` does it, every package is compared with its hash; but a build of PyTorch from another index has its own.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r locks/runtime.txt \
 && if [ -n "$TORCH_INDEX" ]; then \
      /opt/venv/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" \
        "$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' locks/torch.txt)"; \
    else \
      /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r locks/torch.txt \
      && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r locks/cuda.txt; \
    fi
COPY pyproject.toml README.md ./
COPY vaecore vaecore
RUN --mount=type=secret,id=pip,target=/etc/pip.conf /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation -e .

FROM python
RUN useradd --uid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lab \
 && install -d -o lab -g lab /store /cache /data
WORKDIR /app
COPY --from=environment /opt/venv /opt/venv
COPY app.py pyproject.toml README.md LICENSE NOTICE ./
COPY .streamlit/config.toml .streamlit/config.toml
COPY trained trained
COPY pages pages
COPY vaecore vaecore
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAECORE_STORE=/store \
    VAECORE_CACHE=/cache \
    VAECORE_DATA=/data \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_BASE_URL_PATH=
USER 1000:1000
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; e = os.environ; base = e['STREAMLIT_SERVER_BASE_URL_PATH'].strip('/'); u.urlopen(f\"http://127.0.0.1:{e['STREAMLIT_SERVER_PORT']}{'/' if base else ''}{base}/healthz\", timeout=8)"]
CMD ["streamlit", "run", "app.py"]

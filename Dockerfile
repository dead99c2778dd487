# Build: docker build -t tagstone:local .
# Run:   docker run --rm -p 127.0.0.1:5000:5000 -v tagstone-data:/var/lib/tagstone tagstone:local

FROM rust:1-slim-bookworm AS builder
# `blake3` and `mimalloc` compile C and assembler. The slim image has the linker and compiler of the toolchain; make sure of it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --package tagstone --package tagstone-replay \
    && install -D -t /out target/release/tagstone target/release/tagstone-replay \
    # An empty directory with the right owner: a new named volume takes both over.
    && install -d -o 10001 -g 10001 -m 0750 /out/data

FROM debian:bookworm-slim
RUN groupadd --gid 10001 tagstone \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/tagstone --shell /usr/sbin/nologin tagstone
COPY --from=builder /out/tagstone /out/tagstone-replay /usr/local/bin/
COPY --from=builder --chown=10001:10001 /out/data /var/lib/tagstone
USER 10001:10001
WORKDIR /var/lib/tagstone
VOLUME /var/lib/tagstone
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["tagstone", "healthcheck"]
ENTRYPOINT ["tagstone"]
# A container is reached through its own address, so the server must listen on more than loopback. Without
# [auth] it refuses to do so; `--insecure-open` overrides the refusal, and means nothing where there are users. What protects the registry
# here is the port alone: publish it to 127.0.0.1, as above and in docker-compose.yml. `-p 5000:5000` would open it, with full
# rights for everyone, to every network of the host.
CMD ["serve", "--data", "/var/lib/tagstone", "--listen", "0.0.0.0:5000", "--insecure-open"]

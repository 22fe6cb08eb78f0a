# The receiver alone, in a small image that runs it as nobody in particular.
#   docker build -t infinium . && docker run -p 127.0.0.1:8321:8321 -v infinium:/data infinium
FROM debian:bookworm-slim AS build
COPY scripts/deps.sh /src/scripts/deps.sh
RUN apt-get update && /src/scripts/deps.sh build && rm -rf /var/lib/apt/lists/*
COPY . /src
WORKDIR /src
RUN cmake -S . -B /build -G Ninja -DINF_EXAMPLES=OFF && cmake --build /build --target infinium

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libmicrohttpd12 libsimdjson14 libsqlite3-0 libzstd1 libnettle8 libgnutls30 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 0700 -o 65532 -g 65532 /data
COPY --from=build /build/cli/infinium /usr/local/bin/infinium
USER 65532:65532
VOLUME /data
EXPOSE 8321
# A container is reached from outside of it: TLS is the proxy's in front of it, or --tls-cert and --tls-key.
ENV INFINIUM_DATA=/data INFINIUM_LISTEN=0.0.0.0:8321 INFINIUM_PLAIN_HTTP=yes
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["curl", "-fsS", "http://127.0.0.1:8321/readyz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/infinium"]
CMD ["serve"]

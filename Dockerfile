FROM golang:1.26 AS build
WORKDIR /src

# The modules change less often than the code: this layer is then taken from the cache.
COPY go.mod go.sum ./
RUN go mod download

COPY cmd cmd
COPY internal internal
ARG VERSION=dev
ARG REVISION=
# No cgo, so that the binary needs nothing of the image it runs in.
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION} -X main.revision=${REVISION}" -o /roomcast ./cmd/roomcast

# Nothing else is in the image: no shell, no package manager, nothing to patch.
FROM scratch
# For a Redis behind TLS (rediss://).
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /roomcast /roomcast

# By number: scratch has no /etc/passwd, and an orchestrator can prove that it is not root.
USER 65532:65532
EXPOSE 8080
# The signal that starts an orderly drain.
STOPSIGNAL SIGTERM
# The binary asks itself, for there is no curl here. /healthz speaks of the process alone:
# a Redis that is away is no reason to restart every instance.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=3 CMD ["/roomcast", "health"]

ENTRYPOINT ["/roomcast"]
CMD ["serve"]

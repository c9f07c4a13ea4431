# The image holds one static binary and runs as a user without rights.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
RUN CGO_ENABLED=0 go build -trimpath -tags nomsgpack \
    -ldflags "-s -w -X github.com/omnistack/omnistack/wire_gen.version=${VERSION}" \
    -o /omnistack ./cmd/omnistack

FROM alpine:3.22
RUN adduser -D -H -u 10001 omnistack && mkdir /data && chown omnistack /data
COPY --from=build /omnistack /usr/local/bin/omnistack
USER omnistack
# Anything but production must be asked for: in local the app gives tokens to whoever can reach it from its own machine.
ENV ENVIRONMENT=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD wget -q -O /dev/null "http://127.0.0.1:${PORT}/health" || exit 1
ENTRYPOINT ["omnistack"]
CMD ["serve"]

# Tidegate on workerd itself: locally and self-hosted. `npm start` gives the addresses and directories:
#   workerd serve workerd.capnp --socket-addr http=127.0.0.1:8787 \
#     --directory-path data=.tidegate --directory-path www=www
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  # Garbage of requests is collected often, so that each pause is short (docs/decisions/0024), and before it grows
  # (docs/performance.md, "Depth").
  v8Flags = ["--max-semi-space-size=1"],
  services = [
    (name = "tidegate", worker = .tidegate),
    (name = "data", disk = (writable = true)),
    (name = "www", disk = ()),
    (name = "client", disk = (path = "clients/typescript")),
    # Endpoints that messages are pushed to. An address is looked at once its name is resolved: without
    # ALLOW_PRIVATE_TARGETS none of a private network is reached, whatever a name says from one moment to the next.
    (name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true))),
    (name = "outbound", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(
    name = "http",
    # Behind a proxy that speaks TLS, a page's origin is https: without this it would be another site's.
    http = (forwardedProtoHeader = "X-Forwarded-Proto"),
    service = "tidegate",
  )],
);

const tidegate :Workerd.Worker = (
  modules = [
    (name = "host/worker.js", esModule = embed "host/worker.js"),
    (name = "host/assets.js", esModule = embed "host/assets.js"),
    (name = "host/bindings.js", esModule = embed "host/bindings.js"),
    (name = "host/body.js", esModule = embed "host/body.js"),
    (name = "host/call.js", esModule = embed "host/call.js"),
    (name = "host/calls.js", esModule = embed "host/calls.js"),
    (name = "host/client.js", esModule = embed "host/client.js"),
    (name = "host/clock.js", esModule = embed "host/clock.js"),
    (name = "host/core.js", esModule = embed "host/core.js"),
    (name = "host/credentials.js", esModule = embed "host/credentials.js"),
    (name = "host/dispatcher.js", esModule = embed "host/dispatcher.js"),
    (name = "host/dispatches.js", esModule = embed "host/dispatches.js"),
    (name = "host/events.js", esModule = embed "host/events.js"),
    (name = "host/expiry.js", esModule = embed "host/expiry.js"),
    (name = "host/feed.js", esModule = embed "host/feed.js"),
    (name = "host/frames.js", esModule = embed "host/frames.js"),
    (name = "host/gather.js", esModule = embed "host/gather.js"),
    (name = "host/gathering.js", esModule = embed "host/gathering.js"),
    (name = "host/inbound.js", esModule = embed "host/inbound.js"),
    (name = "host/line.js", esModule = embed "host/line.js"),
    (name = "host/log.js", esModule = embed "host/log.js"),
    (name = "host/neighbours.js", esModule = embed "host/neighbours.js"),
    (name = "host/object.js", esModule = embed "host/object.js"),
    (name = "host/openapi.js", esModule = embed "host/openapi.js"),
    (name = "host/place.js", esModule = embed "host/place.js"),
    (name = "host/problem.js", esModule = embed "host/problem.js"),
    (name = "host/repair.js", esModule = embed "host/repair.js"),
    (name = "host/reports.js", esModule = embed "host/reports.js"),
    (name = "host/share.js", esModule = embed "host/share.js"),
    (name = "host/socket.js", esModule = embed "host/socket.js"),
    (name = "host/sql.js", esModule = embed "host/sql.js"),
    (name = "host/stream.js", esModule = embed "host/stream.js"),
    (name = "host/topic.js", esModule = embed "host/topic.js"),
    (name = "host/turnstile.js", esModule = embed "host/turnstile.js"),
    (name = "host/within.js", esModule = embed "host/within.js"),
    (name = "build/tidegate.wasm", wasm = embed "build/tidegate.wasm"),
  ],
  compatibilityDate = "2026-11-01",
  # The callers of requests that wait in an object are seen to go away.
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    (name = "QUEUE", durableObjectNamespace = "QueueObject"),
    (name = "TOPIC", durableObjectNamespace = "TopicObject"),
    (name = "DIRECTORY", durableObjectNamespace = "DirectoryObject"),
    (name = "RELAY", durableObjectNamespace = "RelayObject"),
    (name = "ASSETS", service = "www"),
    (name = "CLIENT", service = "client"),
    (name = "OUTBOUND", service = "outbound"),
    (name = "AUTH", fromEnvironment = "AUTH"),
    (name = "ADMIN_TOKEN", fromEnvironment = "ADMIN_TOKEN"),
    (name = "TOKEN_SECRET", fromEnvironment = "TOKEN_SECRET"),
    (name = "JWKS_URL", fromEnvironment = "JWKS_URL"),
    (name = "CLIENT_ADDRESS_HEADER", fromEnvironment = "CLIENT_ADDRESS_HEADER"),
    (name = "TOKEN_ISSUER", fromEnvironment = "TOKEN_ISSUER"),
    (name = "TOKEN_AUDIENCE", fromEnvironment = "TOKEN_AUDIENCE"),
    (name = "AUTO_CREATE", fromEnvironment = "AUTO_CREATE"),
    (name = "ALLOW_PRIVATE_TARGETS", fromEnvironment = "ALLOW_PRIVATE_TARGETS"),
    (name = "PUSH_WORKERS", fromEnvironment = "PUSH_WORKERS"),
    (name = "PUSH_QUEUES", fromEnvironment = "PUSH_QUEUES"),
    (name = "TICKET_KEY", fromEnvironment = "TICKET_KEY"),
    (name = "LOG_LEVEL", fromEnvironment = "LOG_LEVEL"),
    (name = "LOOPBACK", fromEnvironment = "LOOPBACK"),
  ],
  # A key names a directory of the data and is part of every object's identity: it never changes.
  durableObjectNamespaces = [
    (className = "QueueObject", uniqueKey = "tidegate-queue", enableSql = true),
    (className = "TopicObject", uniqueKey = "tidegate-topic", enableSql = true),
    (className = "DirectoryObject", uniqueKey = "tidegate-directory", enableSql = true),
    (className = "RelayObject", uniqueKey = "tidegate-relay", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
);

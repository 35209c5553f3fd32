# The queue that comes with workerd, and a Worker that sends to it.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .producer),
    (name = "queues", worker = .queues),
    (name = "data", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const producer :Workerd.Worker = (
  modules = [(name = "queue.js", esModule = embed "queue.js")],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "QUEUE", queue = (name = "queues", props = (json = "{\"queue\": \"bench\"}"))),
  ],
);

const queues :Workerd.Worker = (
  modules = [(name = "queues.js", bundled = "/workerd/queues.js")],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["service_binding_extra_handlers"],
  bindings = [
    (name = "SHARD", durableObjectNamespace = "QueueShard"),
    (name = "CONSUMERS", json = "{}"),
  ],
  durableObjectNamespaces = [
    (className = "QueueShard", uniqueKey = "queue-shard", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
);

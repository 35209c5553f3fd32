using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .pair), (name = "data", disk = (writable = true))],
  sockets = [(name = "http", http = (), service = "main")],
);

const pair :Workerd.Worker = (
  modules = [(name = "pair.js", esModule = embed "pair.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "ROW", durableObjectNamespace = "Row")],
  durableObjectNamespaces = [(className = "Row", uniqueKey = "row", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
